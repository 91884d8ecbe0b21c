//! The configuration that the cluster runs on: the thesis's own files, or a folder with others.

use std::{
    fs,
    io::{self, Write as _},
    path::{Component, Path, PathBuf},
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

/// The folder below the work folder that is ours alone.
const RUN: &str = "run";

/// In [`RUN`]: what was laid out there, a name a line. It also says that the folder is ours.
const LIST: &str = "laid-out.txt";

/// Why the files cannot be laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// One cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is read and what is written would be mixed.
    #[error(
        "--files {} and {}, where copies are put, lie within each other; choose another --work",
        files.display(),
        run.display()
    )]
    Nested {
        /// Where the files are read.
        files: PathBuf,
        /// Where their copies would be written.
        run: PathBuf,
    },
    /// Something is where our own files would be, and it is not ours.
    #[error("{} was not made by this program, so it stays; move it away, or choose another --work", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError::Io { path, source }
}

/// The folders that the PBXs read, and the balancer's file.
#[derive(Debug, Clone)]
pub struct Files {
    /// The folder that is ours, and has the others.
    pub run: PathBuf,
    /// A folder for each PBX, as `/etc/asterisk` would be on its machine.
    pub nodes: Vec<PathBuf>,
    /// The balancer's configuration, as it was written.
    pub balancer: String,
}

/// Writes what is built in into a folder, for a person to look at and to change. Files that are there stay as they are.
///
/// # Errors
/// Names the file that cannot be written, or that is there already.
pub fn write_out(folder: &Path) -> Result<(), FilesError> {
    if let Some((name, _)) = BUILT_IN.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(at(&folder.join(name))(io::ErrorKind::AlreadyExists.into()));
    }
    for (name, text) in BUILT_IN {
        create(&folder.join(name), text)?;
    }
    Ok(())
}

/// Writes a file that is not there yet, and the folders above it.
fn create(path: &Path, text: &str) -> Result<(), FilesError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let mut file = fs::File::create_new(path).map_err(at(path))?;
    file.write_all(text.as_bytes()).map_err(at(path))
}

/// Lays out a folder for each PBX in `run` below `work`, from the files in `source` or those that are built in.
///
/// Only what an earlier start laid out there is taken away. With `trunk`, each peer of `iax.conf` gets `trunk=yes`.
///
/// # Errors
/// Names the file that cannot be read or written, or that is in the way.
pub fn lay_out(source: Option<&Path>, work: &Path, trunk: bool) -> Result<Files, FilesError> {
    let run = work.join(RUN);
    fs::create_dir_all(&run).map_err(at(&run))?;
    let run = run.canonicalize().map_err(at(&run))?;
    let (copies, balancer) = match source {
        Some(source) => read(source, &run)?,
        None => built_in(),
    };
    clear(&run)?;
    let mut names = String::new();
    for (name, _) in &copies {
        names.push_str(name);
        names.push('\n');
    }
    let list = run.join(LIST);
    // First, so that a start that is cut short leaves nothing that the next one does not know.
    fs::write(&list, names).map_err(at(&list))?;
    for (name, text) in &copies {
        let text = if trunk && name.ends_with("/iax.conf") { &with_trunks(text) } else { text };
        create(&run.join(name), text)?;
    }
    let nodes = NODES.map(|name| run.join(name)).to_vec();
    for node in &nodes {
        fs::create_dir_all(node).map_err(at(node))?;
    }
    Ok(Files { run, nodes, balancer })
}

/// Files to lay out, by names such as `pbx/iax.conf`, with their texts; and the balancer's file.
type Copies = (Vec<(String, String)>, String);

fn built_in() -> Copies {
    let (mut copies, mut balancer) = (Vec::new(), String::new());
    for (name, text) in BUILT_IN {
        match name {
            SHARED => copies.extend(NODES.map(|node| (format!("{node}/{SHARED}"), text.to_owned()))),
            BALANCER => text.clone_into(&mut balancer),
            _ => copies.push((name.to_owned(), text.to_owned())),
        }
    }
    (copies, balancer)
}

fn read(source: &Path, run: &Path) -> Result<Copies, FilesError> {
    let files = source.canonicalize().map_err(at(source))?;
    if files.starts_with(run) || run.starts_with(&files) {
        return Err(FilesError::Nested { files, run: run.to_owned() });
    }
    let mut copies = Vec::new();
    for node in NODES {
        let from = source.join(node);
        let mut paths = Vec::new();
        for entry in fs::read_dir(&from).map_err(at(&from))? {
            paths.push(entry.map_err(at(&from))?.path());
        }
        // A PBX may have one of its own.
        if !paths.contains(&from.join(SHARED)) {
            paths.push(source.join(SHARED));
        }
        for path in paths.iter().filter(|path| is_configuration(path)) {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or(io::ErrorKind::InvalidFilename.into()).map_err(at(path))?;
            let text = fs::read_to_string(path).map_err(at(path))?;
            copies.push((format!("{node}/{name}"), text));
        }
    }
    let balancer = source.join(BALANCER);
    let balancer = fs::read_to_string(&balancer).map_err(at(&balancer))?;
    Ok((copies, balancer))
}

/// Takes away what an earlier start laid out. What else is there stays, and is refused where it would be read.
fn clear(run: &Path) -> Result<(), FilesError> {
    let list = run.join(LIST);
    match fs::read_to_string(&list) {
        Ok(names) => {
            for name in names.lines() {
                let path = run.join(name);
                let ours = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
                match path.canonicalize() {
                    Ok(real) if ours && real == path => fs::remove_file(&path).map_err(at(&path))?,
                    Ok(_) => return Err(FilesError::Foreign { path }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(at(&path)(error)),
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(entry) = fs::read_dir(run).map_err(at(run))?.next() {
                return Err(FilesError::Foreign { path: entry.map_err(at(run))?.path() });
            }
        }
        Err(error) => return Err(at(&list)(error)),
    }
    for node in NODES.map(|name| run.join(name)) {
        let Ok(real) = node.canonicalize() else { continue };
        if real != node {
            return Err(FilesError::Foreign { path: node });
        }
        for entry in fs::read_dir(&node).map_err(at(&node))? {
            let path = entry.map_err(at(&node))?.path();
            if is_configuration(&path) {
                return Err(FilesError::Foreign { path });
            }
        }
    }
    Ok(())
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
        let files = lay_out(Some(own.path()), folder.path(), false).unwrap();
        assert!(files.nodes[1].join("more.conf").exists());
        let files = lay_out(None, folder.path(), false).unwrap();
        assert!(!files.nodes[1].join("more.conf").exists() && files.nodes[1].join("iax.conf").exists());
        assert!(own.path().join("zone/more.conf").exists());
    }

    #[test]
    fn files_in_a_work_folder_that_are_not_ours_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        write_out(folder.path()).unwrap();
        let own = folder.path().join("pbx/iax.conf");
        fs::write(&own, "; mine\n").unwrap();
        lay_out(None, folder.path(), false).unwrap();
        assert_eq!(fs::read_to_string(&own).unwrap(), "; mine\n");
        let error = write_out(folder.path()).unwrap_err();
        assert!(matches!(error, FilesError::Io { ref source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read_to_string(&own).unwrap(), "; mine\n");
    }

    #[test]
    fn a_folder_is_not_read_and_laid_out_in_at_once() {
        let folder = tempfile::tempdir().unwrap();
        write_out(folder.path()).unwrap();
        for work in [".", "pbx/..", "pbx"] {
            let error = lay_out(Some(folder.path()), &folder.path().join(work), false).unwrap_err();
            assert!(matches!(error, FilesError::Nested { .. }), "{work}: {error}");
        }
        for (name, text) in BUILT_IN {
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
        }
        let work = tempfile::tempdir().unwrap();
        let run = lay_out(None, work.path(), false).unwrap().run;
        let error = lay_out(Some(&run), work.path(), false).unwrap_err();
        assert!(matches!(error, FilesError::Nested { .. }), "{error}");
    }

    #[test]
    fn what_is_not_ours_where_we_lay_out_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("run/pbx/own.conf");
        create(&own, "; mine\n").unwrap();
        let refused = |folder: &Path| matches!(lay_out(None, folder, false), Err(FilesError::Foreign { .. }));
        assert!(refused(folder.path()) && own.exists());
        // Also among what is ours.
        let folder = tempfile::tempdir().unwrap();
        let files = lay_out(None, folder.path(), false).unwrap();
        let own = files.nodes[0].join("own.conf");
        fs::write(&own, "; mine\n").unwrap();
        assert!(refused(folder.path()) && own.exists());
        // A list that someone changed reaches nothing outside.
        fs::remove_file(&own).unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        fs::write(files.run.join(LIST), "../outside\n").unwrap();
        assert!(refused(folder.path()) && outside.exists());
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
