//! Asterisk's file format: any text is read, in bounded time and memory, and every problem names a line that exists.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use pbx::asterisk::file;

fuzz_target!(|data: &[u8]| {
    // Files are separated by NUL and include each other by number.
    let text = String::from_utf8_lossy(data);
    let files: Vec<&str> = text.split('\0').collect();
    let mut source = |name: &str| {
        let number = if name == "main" { Ok(0) } else { name.parse::<usize>() };
        let found = number.ok().and_then(|number| files.get(number));
        found.map(|text| (*text).to_owned()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let mut problems = Vec::new();
    let Some(file) = file::read("main", &mut source, &mut problems) else { panic!("the first file is always there") };
    for problem in &problems {
        let place = problem.place.as_ref().expect("all but an unreadable first file is in a place");
        let number = if &*place.file == "main" { 0 } else { place.file.parse().expect("a number") };
        assert!(place.line >= 1 && place.line as usize <= files[number].lines().count().max(1), "{problem}");
    }
    let mut lines = 0;
    for section in &file.sections {
        assert!(!section.name.trim().is_empty());
        for entry in &section.entries {
            assert!(!entry.key.is_empty() && !entry.value.contains('\n'), "{entry:?}");
            assert_eq!(entry.value.trim(), entry.value);
            lines += 1;
        }
    }
    assert!(lines <= 500_000);
});
