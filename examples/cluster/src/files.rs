//! The configuration that the cluster runs on: the thesis's own files, or a folder with others.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file that both PBXs share.
const SHARED: &str = "sip.conf";

/// The balancer's file.
const BALANCER: &str = "haproxy.cfg";

/// The folders of the two PBXs.
pub const NODES: [&str; 2] = ["pbx", "zone"];

/// What is built in: path and text.
const BUILT_IN: [(&str, &str); 6] = [
    (SHARED, include_str!("../sip.conf")),
    (BALANCER, include_str!("../haproxy.cfg")),
    ("pbx/iax.conf", include_str!("../pbx/iax.conf")),
    ("pbx/extensions.conf", include_str!("../pbx/extensions.conf")),
    ("zone/iax.conf", include_str!("../zone/iax.conf")),
    ("zone/extensions.conf", include_str!("../zone/extensions.conf")),
];

/// Why the files cannot be laid out.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FilesError {
    path: PathBuf,
    source: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError { path, source }
}

/// The folders that the PBXs read, and the balancer's file.
#[derive(Debug, Clone)]
pub struct Files {
    /// A folder for each PBX, as `/etc/asterisk` would be on its machine.
    pub nodes: Vec<PathBuf>,
    /// The balancer's configuration, as it was written.
    pub balancer: String,
}

/// Writes what is built in into a folder, for a person to look at and to change.
///
/// # Errors
/// Names the file that cannot be written.
pub fn write_out(folder: &Path) -> Result<(), FilesError> {
    for (name, text) in BUILT_IN {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(())
}

/// Lays out a folder for each PBX below `work`, from the files in `source` or those that are built in.
///
/// With `trunk`, each peer of `iax.conf` gets `trunk=yes`.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn lay_out(source: Option<&Path>, work: &Path, trunk: bool) -> Result<Files, FilesError> {
    let shipped = work.join("files");
    let source = match source {
        Some(source) => source,
        None => {
            write_out(&shipped)?;
            &shipped
        }
    };
    let mut nodes = Vec::new();
    for name in NODES {
        let (from, to) = (source.join(name), work.join(name));
        fs::create_dir_all(&to).map_err(at(&to))?;
        for entry in fs::read_dir(&to).map_err(at(&to))? {
            // What an earlier start laid out must not be mixed with this one's.
            let path = entry.map_err(at(&to))?.path();
            if is_configuration(&path) {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        let mut files = vec![source.join(SHARED)];
        for entry in fs::read_dir(&from).map_err(at(&from))? {
            files.push(entry.map_err(at(&from))?.path());
        }
        for file in files.iter().filter(|file| is_configuration(file)) {
            let mut text = fs::read_to_string(file).map_err(at(file))?;
            let name = file.file_name().unwrap_or_default();
            if trunk && name == "iax.conf" {
                text = with_trunks(&text);
            }
            let copy = to.join(name);
            fs::write(&copy, text).map_err(at(&copy))?;
        }
        nodes.push(to);
    }
    let balancer = source.join(BALANCER);
    let balancer = fs::read_to_string(&balancer).map_err(at(&balancer))?;
    Ok(Files { nodes, balancer })
}

fn is_configuration(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "conf")
}

/// Each section but the general one says `trunk=yes`.
fn with_trunks(text: &str) -> String {
    let mut changed = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        changed.push_str(line);
        changed.push('\n');
        let name = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next());
        if name.is_some_and(|name| name != "general") {
            changed.push_str("trunk=yes\n");
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pbx_gets_its_own_files_and_the_shared_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = lay_out(None, folder.path(), false).unwrap();
        let read = |node: usize, name: &str| fs::read_to_string(files.nodes[node].join(name)).unwrap();
        assert!(read(0, "iax.conf").contains("register => zone2:1234@192.168.0.3"));
        assert!(read(1, "iax.conf").contains("register => zone1:1234@192.168.0.2"));
        assert!(read(1, "extensions.conf").contains("Dial(IAX2/zone2/${EXTEN}@admin,30,r)"));
        assert_eq!(read(0, "sip.conf"), read(1, "sip.conf"));
        assert!(files.balancer.contains("server Extended_zone 192.168.0.3:5060 check"));
        // A second start with files of one's own leaves nothing of the first.
        let own = tempfile::tempdir().unwrap();
        write_out(own.path()).unwrap();
        fs::write(own.path().join("zone/more.conf"), "; more\n").unwrap();
        fs::write(folder.path().join("zone/stale.conf"), "; stale\n").unwrap();
        let files = lay_out(Some(own.path()), folder.path(), false).unwrap();
        assert!(files.nodes[1].join("more.conf").exists() && !files.nodes[1].join("stale.conf").exists());
    }

    #[test]
    fn trunking_is_switched_on_for_peers_only() {
        let folder = tempfile::tempdir().unwrap();
        let files = lay_out(None, folder.path(), true).unwrap();
        let text = fs::read_to_string(files.nodes[0].join("iax.conf")).unwrap();
        assert_eq!(text.matches("trunk=yes").count(), 1);
        assert!(text.contains("[zone1]\ntrunk=yes\n"), "{text}");
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = lay_out(Some(&folder.path().join("nowhere")), folder.path(), false).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
