//! The format that all files of Asterisk share: sections of `key = value` lines, with templates and inclusion.

use std::{fmt, io, sync::Arc};

/// Where something is written. Displays as `iax.conf:12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration can be used, without what the problem is about.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// A mistake in a file. Displays as `iax.conf:12: error: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is, when it is in one place.
    pub place: Option<Place>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Problem {
    /// Something that makes the configuration unusable.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), severity: Severity::Error, message: message.into() }
    }

    /// Something that is left out.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), severity: Severity::Warning, message: message.into() }
    }

    /// Whether it makes the configuration unusable.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)
    }
}

/// One `key = value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What stands before the sign.
    pub key: String,
    /// What stands behind it, without comment and blanks around it.
    pub value: String,
    /// Whether the sign is `=>`.
    pub arrow: bool,
    /// Whether the sign is `+=`: the value of this line is what the section and its templates said before, with this behind it.
    pub append: bool,
    /// Where it is written (also when it came from a template).
    pub place: Place,
}

/// A `[section]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The name in the brackets.
    pub name: String,
    /// Whether it is a template only: `[name](!)`.
    pub template: bool,
    /// Where it begins.
    pub place: Place,
    /// Its lines: those of its templates first.
    pub entries: Vec<Entry>,
}

impl Section {
    /// The last value of a key, the one that counts for keys that are said once. Case does not matter.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value.as_str())
    }

    /// The last line of a key. Case does not matter.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key.eq_ignore_ascii_case(key))
    }
}

/// A file with all that it includes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// The sections in order, templates among them.
    pub sections: Vec<Section>,
}

impl File {
    /// The sections that are no templates.
    pub fn used(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|section| !section.template)
    }

    /// The first section with this name that is no template.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.used().find(|section| section.name == name)
    }
}

/// How deep files may include each other.
const MAX_DEPTH: usize = 16;
/// Bytes of all files together.
const MAX_BYTES: usize = 16 << 20;
/// Lines that are kept, inherited ones counted each time.
const MAX_ENTRIES: usize = 500_000;
/// Sections of all files together.
const MAX_SECTIONS: usize = 100_000;

/// Reads a file and what it includes. `source` gives the text of a file by the name that it is asked for by.
///
/// `None` when the file itself cannot be read; all else that is wrong goes to `problems`.
pub fn read(
    name: &str,
    source: &mut dyn FnMut(&str) -> io::Result<String>,
    problems: &mut Vec<Problem>,
) -> Option<File> {
    let mut reader = Reader { source, problems, sections: Vec::new(), open: None, bytes: 0, entries: 0, full: false };
    match (reader.source)(name) {
        Ok(text) => reader.file(name, &text, 0),
        Err(error) => {
            let message = format!("{name} cannot be read: {error}");
            reader.problems.push(Problem { place: None, severity: Severity::Error, message });
            return None;
        }
    }
    let mut file = File { sections: reader.sections };
    one_general(&mut file, problems);
    Some(file)
}

/// `[general]` is one section, whatever its case; what comes under its name again is left out, as Asterisk does.
fn one_general(file: &mut File, problems: &mut Vec<Problem>) {
    let mut first: Option<Place> = None;
    file.sections.retain_mut(|section| {
        if section.template || !section.name.eq_ignore_ascii_case("general") {
            return true;
        }
        if let Some(before) = &first {
            let message = format!("a second [general] is left out: the first is at {before}");
            problems.push(Problem { place: Some(section.place.clone()), severity: Severity::Warning, message });
            return false;
        }
        first = Some(section.place.clone());
        section.name = "general".to_owned();
        true
    });
}

struct Reader<'a> {
    source: &'a mut dyn FnMut(&str) -> io::Result<String>,
    problems: &'a mut Vec<Problem>,
    sections: Vec<Section>,
    /// The section that lines go to.
    open: Option<usize>,
    bytes: usize,
    entries: usize,
    /// A limit was reached: nothing more is read.
    full: bool,
}

impl Reader<'_> {
    fn file(&mut self, name: &str, text: &str, depth: usize) {
        let file: Arc<str> = name.into();
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_BYTES {
            self.stop(&Place { file, line: 1 }, "the files are larger than 16 MiB together");
            return;
        }
        // How many block comments are open, and where the outermost began.
        let mut comments = 0_usize;
        let mut opened = 0;
        for (number, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if self.full {
                return;
            }
            let place = Place { file: file.clone(), line: u32::try_from(number + 1).unwrap_or(u32::MAX) };
            let before = comments;
            let line = without_comments(raw, &mut comments);
            if before == 0 && comments > 0 {
                opened = place.line;
            }
            let line = line.trim();
            if !line.is_empty() {
                self.line(line, place, depth);
            }
        }
        if comments > 0 {
            let place = Place { file, line: opened };
            self.problems.push(Problem::error(&place, "the comment that begins here does not end: expected --;"));
        }
    }

    fn line(&mut self, line: &str, place: Place, depth: usize) {
        if let Some(rest) = line.strip_prefix('[') {
            self.header(rest, place);
        } else if let Some(rest) = line.strip_prefix('#') {
            self.directive(rest, &place, depth);
        } else {
            self.entry(line, place);
        }
    }

    /// `[name]`, `[name](!)`, `[name](template,other)`, `[name](+)`.
    fn header(&mut self, rest: &str, place: Place) {
        // What follows a header that is not understood must not go to the section before it.
        self.open = None;
        let Some((name, rest)) = rest.split_once(']') else {
            self.error(&place, "expected `]` after the name of the section");
            return;
        };
        let name = name.trim();
        if name.is_empty() {
            self.error(&place, "expected the name of a section between `[` and `]`");
            return;
        }
        let rest = rest.trim();
        let marks = match rest.strip_prefix('(') {
            Some(marks) => match marks.split_once(')') {
                Some((marks, "")) => marks,
                Some((_, more)) => {
                    self.error(&place, format!("expected the end of the line after `)`, found `{}`", more.trim()));
                    return;
                }
                None => {
                    self.error(&place, "expected `)` after the templates of the section");
                    return;
                }
            },
            None if rest.is_empty() => "",
            None => {
                self.error(
                    &place,
                    format!("expected `(` and templates or the end of the line after `]`, found `{rest}`"),
                );
                return;
            }
        };
        let mut section = Section { name: name.to_owned(), template: false, place: place.clone(), entries: Vec::new() };
        let mut addition = false;
        for mark in marks.split(',').map(str::trim).filter(|mark| !mark.is_empty()) {
            match mark {
                "!" => section.template = true,
                "+" => addition = true,
                _ if mark.starts_with('+') || mark.contains('=') => {
                    let message = format!(
                        "`{mark}` chooses sections by what they hold, which is not supported: expected `!`, `+` or the name of a template"
                    );
                    self.error(&place, message);
                    return;
                }
                _ => {
                    let Some(base) = self.find(mark) else {
                        let message = format!(
                            "there is no section `{mark}` above this line to take the settings of `{name}` from"
                        );
                        self.error(&place, message);
                        continue;
                    };
                    let inherited = self.sections.get(base).map(|base| base.entries.clone()).unwrap_or_default();
                    if !self.count(inherited.len(), &place) {
                        return;
                    }
                    section.entries.extend(inherited);
                }
            }
        }
        if addition {
            let Some(found) = self.find(name) else {
                let message = format!("there is no section `{name}` above this line that `(+)` could add to");
                self.error(&place, message);
                return;
            };
            if let Some(target) = self.sections.get_mut(found) {
                target.entries.append(&mut section.entries);
            }
            self.open = Some(found);
            return;
        }
        if self.sections.len() >= MAX_SECTIONS {
            self.stop(&place, "more than 100,000 sections");
            return;
        }
        self.open = Some(self.sections.len());
        self.sections.push(section);
    }

    /// `#include`, `#tryinclude`, `#exec`.
    fn directive(&mut self, rest: &str, place: &Place, depth: usize) {
        let (word, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let name = name.trim();
        let optional = match word {
            "include" => false,
            "tryinclude" => true,
            "exec" => {
                self.error(place, "#exec is refused: a configuration runs no programs");
                return;
            }
            _ => {
                self.error(place, format!("unknown directive `#{word}`: expected #include or #tryinclude"));
                return;
            }
        };
        let bare = match name.as_bytes() {
            [b'"', .., b'"'] | [b'<', .., b'>'] => name.get(1..name.len() - 1).unwrap_or_default(),
            _ => name,
        };
        if bare.is_empty() {
            self.error(place, format!("expected the name of a file after #{word}"));
        } else if bare.contains(['*', '?']) {
            let message = format!("#{word} {bare}: wildcards are not supported, expected the name of one file");
            self.error(place, message);
        } else if depth + 1 >= MAX_DEPTH {
            let message = format!("#{word} {bare}: files include each other more than {MAX_DEPTH} deep");
            self.error(place, message);
        } else {
            match (self.source)(bare) {
                Ok(text) => self.file(bare, &text, depth + 1),
                Err(error) if optional => {
                    let message = format!("#tryinclude {bare}: left out, it cannot be read: {error}");
                    self.problems.push(Problem::warning(place, message));
                }
                Err(error) => {
                    self.error(place, format!("#include {bare}: it cannot be read: {error}"));
                }
            }
        }
    }

    /// `key = value`, `key => value`, `key += value`.
    fn entry(&mut self, line: &str, place: Place) {
        let Some((key, value)) = line.split_once('=') else {
            self.error(&place, format!("expected `key = value`, `[section]` or #include, found `{}`", shown(line)));
            return;
        };
        let (value, arrow) = match value.strip_prefix('>') {
            Some(value) => (value, true),
            None => (value, false),
        };
        let (key, append) = match key.strip_suffix('+') {
            Some(key) => (key, true),
            None => (key, false),
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            self.error(&place, "expected a key before the `=`");
            return;
        }
        if !self.count(1, &place) {
            return;
        }
        let Some(section) = self.open.and_then(|open| self.sections.get_mut(open)) else {
            self.error(&place, format!("`{key}` stands in no section: expected a `[section]` above it"));
            return;
        };
        if append
            && let Some(before) = section.entries.iter_mut().rev().find(|entry| entry.key.eq_ignore_ascii_case(key))
        {
            // Appending over and over must not make a value of any size.
            if before.value.len() + value.len() > MAX_VALUE {
                self.error(&place, format!("`{key}` becomes longer than {MAX_VALUE} bytes"));
                return;
            }
            before.value.push_str(value);
            before.append = true;
            before.place = place;
            return;
        }
        section.entries.push(Entry { key: key.to_owned(), value: value.to_owned(), arrow, append, place });
    }

    fn find(&self, name: &str) -> Option<usize> {
        let exact = self.sections.iter().position(|section| section.name == name);
        exact.or_else(|| self.sections.iter().position(|section| section.name.eq_ignore_ascii_case(name)))
    }

    fn count(&mut self, entries: usize, place: &Place) -> bool {
        self.entries = self.entries.saturating_add(entries);
        if self.entries > MAX_ENTRIES {
            self.stop(place, "more than 500,000 settings, inherited ones counted");
        }
        !self.full
    }

    fn stop(&mut self, place: &Place, why: &str) {
        if !self.full {
            self.error(place, format!("{why}: the rest is not read"));
        }
        self.full = true;
        self.open = None;
    }

    fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(Problem::error(place, message));
    }
}

/// The longest value that `+=` makes.
const MAX_VALUE: usize = 8 << 10;

/// A line as it may be shown: short, and without what could be a secret behind a colon or blank.
fn shown(line: &str) -> String {
    let word = line.split([' ', '\t', ':']).next().unwrap_or_default();
    let mut short: String = word.chars().take(40).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// What is left of a line without `; comment` and `;-- comment --;`. `\;` is a semicolon. `open` is how many of the latter
/// are open, which goes on over lines.
fn without_comments(line: &str, open: &mut usize) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if *open > 0 {
            if let Some(after) = rest.strip_prefix("--;") {
                *open -= 1;
                rest = after;
                continue;
            }
            if opens(rest) {
                *open += 1;
            }
        } else if let Some(after) = rest.strip_prefix("\\;") {
            kept.push(';');
            rest = after;
            continue;
        } else if opens(rest) {
            *open += 1;
            rest = rest.get(3..).unwrap_or_default();
            continue;
        } else if first == ';' {
            break;
        } else {
            kept.push(first);
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    kept
}

/// `;--` opens a comment; `;---` is an ordinary one, as people draw lines with it.
fn opens(text: &str) -> bool {
    text.strip_prefix(";--").is_some_and(|rest| !rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_files(files: &[(&str, &str)]) -> (File, Vec<String>) {
        let mut problems = Vec::new();
        let mut source = |name: &str| match files.iter().find(|(file, _)| *file == name) {
            Some((_, text)) => Ok((*text).to_owned()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        };
        let file = read(files[0].0, &mut source, &mut problems).unwrap();
        (file, problems.iter().map(ToString::to_string).collect())
    }

    fn settings(file: &File, section: &str) -> Vec<String> {
        let section = file.sections.iter().find(|found| found.name == section).unwrap();
        section.entries.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect()
    }

    #[test]
    fn a_section_has_its_templates_settings_before_its_own() {
        let text = "[admin](!)\ntype=friend\ncontext = admin\n[loud](!)\nvolume=9\n[1001](admin,loud)\nsecret=1234\n";
        let (file, problems) = read_files(&[("sip.conf", text)]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings(&file, "1001"), ["type=friend", "context=admin", "volume=9", "secret=1234"]);
        assert_eq!(file.used().map(|section| section.name.as_str()).collect::<Vec<_>>(), ["1001"]);
        let section = file.section("1001").unwrap();
        assert_eq!(section.place.to_string(), "sip.conf:6");
        assert_eq!(section.entries[0].place.to_string(), "sip.conf:2");
        assert_eq!(section.value("SECRET"), Some("1234"));
    }

    #[test]
    fn a_template_may_be_made_of_another_and_an_ordinary_section_serves_as_one() {
        let text = "[a](!)\nx=1\n[b](!,a)\ny=2\n[c](b)\nz=3\n[d](c)\n";
        let (file, problems) = read_files(&[("a.conf", text)]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings(&file, "d"), ["x=1", "y=2", "z=3"]);
        assert!(file.sections[1].template);
    }

    #[test]
    fn plus_adds_to_the_section_above() {
        let text = "[a]\nx=1\n[b]\ny=1\n[a](+)\nx=2\n";
        let (file, problems) = read_files(&[("a.conf", text)]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(file.sections.len(), 2);
        assert_eq!(settings(&file, "a"), ["x=1", "x=2"]);
    }

    #[test]
    fn both_signs_are_understood_and_appending_joins_values() {
        let text = "[a]\nexten => 1,1,NoOp(a=b)\nallow=ulaw\nallow+=,alaw\nnew += 1\n";
        let (file, problems) = read_files(&[("a.conf", text)]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings(&file, "a"), ["exten=1,1,NoOp(a=b)", "allow=ulaw,alaw", "new=1"]);
        let entries = &file.section("a").unwrap().entries;
        assert!(entries[0].arrow && !entries[1].arrow && entries[1].append && entries[2].append);
        assert_eq!(entries[1].place.line, 4);
    }

    #[test]
    fn comments_are_left_out_and_escaped_semicolons_are_not() {
        let text = "; first\n[a] ; name\n  x = 1 ; one\ny=a\\;b;c\n;-- all\n[b]\n;-- inner --;\nz=1\n--;\nw=2;--in--;3\n;---- a line ----\nv=5";
        let (file, problems) = read_files(&[("a.conf", text)]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings(&file, "a"), ["x=1", "y=a;b", "w=23", "v=5"]);
        assert_eq!(file.sections.len(), 1);
    }

    #[test]
    fn a_file_is_included_where_it_stands() {
        let main = "[a]\nx=1\n#include \"b.conf\"\nz=3\n#tryinclude <none.conf>\n#include c.conf\n";
        let (file, problems) = read_files(&[("a.conf", main), ("b.conf", "y=2\n"), ("c.conf", "[c]\nw=1\n")]);
        assert_eq!(problems, ["a.conf:5: warning: #tryinclude none.conf: left out, it cannot be read: no such file"]);
        assert_eq!(settings(&file, "a"), ["x=1", "y=2", "z=3"]);
        assert_eq!(file.section("a").unwrap().entries[1].place.to_string(), "b.conf:1");
        assert_eq!(settings(&file, "c"), ["w=1"]);
    }

    #[test]
    fn files_that_include_each_other_end() {
        let (file, problems) = read_files(&[("a.conf", "[a]\nx=1\n#include a.conf\n")]);
        assert_eq!(file.sections.len(), 16);
        assert_eq!(problems, ["a.conf:3: error: #include a.conf: files include each other more than 16 deep"]);
    }

    #[test]
    fn mistakes_name_the_line_and_what_was_expected() {
        let cases = [
            ("[a\n", "a.conf:1: error: expected `]` after the name of the section"),
            ("[]\n", "a.conf:1: error: expected the name of a section between `[` and `]`"),
            ("[a](b\n", "a.conf:1: error: expected `)` after the templates of the section"),
            ("[a] b\n", "a.conf:1: error: expected `(` and templates or the end of the line after `]`, found `b`"),
            ("[a](!) b\n", "a.conf:1: error: expected the end of the line after `)`, found `b`"),
            ("[a](b)\n", "a.conf:1: error: there is no section `b` above this line to take the settings of `a` from"),
            ("[a](+)\n", "a.conf:1: error: there is no section `a` above this line that `(+)` could add to"),
            ("[a]\nhello\n", "a.conf:2: error: expected `key = value`, `[section]` or #include, found `hello`"),
            (
                "[a]\nsecret: hush\n",
                "a.conf:2: error: expected `key = value`, `[section]` or #include, found `secret…`",
            ),
            ("[a]\n= 1\n", "a.conf:2: error: expected a key before the `=`"),
            ("x=1\n", "a.conf:1: error: `x` stands in no section: expected a `[section]` above it"),
            ("#exec /bin/true\n", "a.conf:1: error: #exec is refused: a configuration runs no programs"),
            ("#import b\n", "a.conf:1: error: unknown directive `#import`: expected #include or #tryinclude"),
            ("#include\n", "a.conf:1: error: expected the name of a file after #include"),
            ("#include b.conf\n", "a.conf:1: error: #include b.conf: it cannot be read: no such file"),
            (
                "#include d/*.conf\n",
                "a.conf:1: error: #include d/*.conf: wildcards are not supported, expected the name of one file",
            ),
            ("[a]\n;-- x\ny=1\n", "a.conf:2: error: the comment that begins here does not end: expected --;"),
        ];
        for (text, message) in cases {
            assert_eq!(read_files(&[("a.conf", text)]).1, [message], "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_a_problem() {
        let mut problems = Vec::new();
        let mut source = |_: &str| Err(io::Error::new(io::ErrorKind::NotFound, "no such file"));
        assert_eq!(read("sip.conf", &mut source, &mut problems), None);
        assert_eq!(problems[0].to_string(), "error: sip.conf cannot be read: no such file");
    }

    #[test]
    fn settings_that_double_with_each_section_are_stopped() {
        let mut text = String::from("[s0]\na=1\n");
        for level in 1..40 {
            let base = level - 1;
            text.push_str(&format!("[s{level}](s{base},s{base})\n"));
        }
        let (file, problems) = read_files(&[("a.conf", &text)]);
        assert!(problems.last().unwrap().contains("more than 500,000 settings"), "{problems:?}");
        assert!(file.sections.iter().map(|section| section.entries.len()).sum::<usize>() <= MAX_ENTRIES);
    }
}
