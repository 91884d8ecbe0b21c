//! `dialplan`: the path of a file like `extensions.conf`, or its text.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::Spanned;

use super::Checker;
use crate::{
    asterisk::file,
    config::{Config, DialplanSource, Problem},
    dialplan::Dialplan,
};

/// Reads the dialplan that is meant; generates one when none is.
pub(super) fn dialplan(
    check: &mut Checker<'_>,
    path: &Path,
    value: Option<&Spanned<String>>,
    config: &mut Config,
    warnings: &mut Vec<file::Problem>,
) {
    let Some(value) = value else {
        config.dialplan_source = DialplanSource::Generated;
        config.generate_dialplan();
        return;
    };
    let text = value.get_ref();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    let (file, source) = if text.contains('\n') {
        let mut source =
            |name: &str| if name == "dialplan" { Ok(text.clone()) } else { crate::asterisk::open(folder, name) };
        (file::read("dialplan", &mut source, &mut problems), DialplanSource::Text(text.clone()))
    } else {
        let path: PathBuf = folder.join(text);
        let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        let Some(name) = name.to_str().filter(|name| !name.is_empty()) else {
            check.problem(value.span(), "expected the path of a file such as \"extensions.conf\"");
            return;
        };
        let mut source = |name: &str| -> io::Result<String> { crate::asterisk::open(folder, name) };
        (file::read(name, &mut source, &mut problems), DialplanSource::File(path.clone()))
    };
    let dialplan = Dialplan::parse(&file.unwrap_or_default(), &mut problems);
    for problem in problems {
        if !problem.is_error() {
            warnings.push(problem);
            continue;
        }
        let (place, line) =
            problem.place.map_or((text.clone(), 0), |place| (place.file.to_string(), place.line as usize));
        let inline = matches!(source, DialplanSource::Text(_)) && place == "dialplan";
        if inline || line == 0 {
            let within = if inline { format!("line {line} of the dialplan: ") } else { String::new() };
            check.problem(value.span(), format!("{within}{}", problem.message));
        } else {
            check.problems.push(Problem { file: place, line, column: 1, message: problem.message, excerpt: None });
        }
    }
    config.dialplan = Arc::new(dialplan);
    config.dialplan_source = source;
}
