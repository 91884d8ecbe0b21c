//! Call records in the order of Asterisk's `Master.csv`.

use std::path::Path;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The caller.
    pub src: String,
    /// The number dialled.
    pub dst: String,
    /// The dialplan context.
    pub dcontext: String,
    /// The caller's channel.
    pub channel: String,
    /// The called channel, empty when there was none.
    pub dstchannel: String,
    /// The last application.
    pub lastapp: String,
    /// What it was told.
    pub lastdata: String,
    /// When it began, as written.
    pub start: String,
    /// When it was answered, empty if it was not.
    pub answer: String,
    /// When it ended.
    pub end: String,
    /// Seconds from beginning to end.
    pub duration: u64,
    /// Seconds from answer to end.
    pub billsec: u64,
    /// How it ended.
    pub disposition: String,
    /// Its identity.
    pub uniqueid: String,
}

/// Reads a file of records.
///
/// # Panics
///
/// When there is none, or a line is not a record.
pub fn read(path: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("no records {}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "the last record is cut");
    text.lines().map(record).collect()
}

fn record(line: &str) -> Record {
    let fields = fields(line);
    assert_eq!(fields.len(), 18, "{line}");
    let number = |index: usize| fields[index].parse().unwrap_or_else(|_| panic!("field {index} of {line}"));
    Record {
        src: fields[1].clone(),
        dst: fields[2].clone(),
        dcontext: fields[3].clone(),
        channel: fields[5].clone(),
        dstchannel: fields[6].clone(),
        lastapp: fields[7].clone(),
        lastdata: fields[8].clone(),
        start: fields[9].clone(),
        answer: fields[10].clone(),
        end: fields[11].clone(),
        duration: number(12),
        billsec: number(13),
        disposition: fields[14].clone(),
        uniqueid: fields[16].clone(),
    }
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_asterisk_is_read() {
        let line = r#""","1001","600","default","""Al, ice"" <1001>","SIP/1001-1","","Echo","","2026-11-27 10:00:00",,"2026-11-27 10:00:05",5,0,"NO ANSWER","DOCUMENTATION","1.2","""#;
        let record = record(line);
        assert_eq!((record.src.as_str(), record.duration, record.answer.as_str()), ("1001", 5, ""));
        assert_eq!(record.disposition, "NO ANSWER");
    }
}
