//! The call records that a PBX writes, read again for the page.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use serde::Serialize;

/// How many records are kept.
const KEPT: usize = 50;

/// The most that is read at once.
const PIECE: u64 = 256 * 1024;

/// One line of `Master.csv`, of which the page shows this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The caller's number.
    pub src: String,
    /// The number dialled.
    pub dst: String,
    /// The caller's channel.
    pub channel: String,
    /// The called channel.
    pub dstchannel: String,
    /// The last application, and what it was told.
    pub last: String,
    /// When it began, local time.
    pub start: String,
    /// Seconds from the answer to the end.
    pub billsec: String,
    /// How it ended.
    pub disposition: String,
}

/// A file of records that grows. Only what is added from now on is told.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    position: u64,
    /// The newest first.
    pub newest: Vec<Record>,
}

impl Records {
    /// Begins at the end of the file, which need not be there yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let position = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self { path, position, newest: Vec::new() }
    }

    /// Takes in what was added.
    ///
    /// # Errors
    /// What the system says of the file.
    pub fn update(&mut self) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let length = file.metadata()?.len();
        if length < self.position {
            // It was moved away and begun again.
            self.position = 0;
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        file.take(PIECE).read_to_end(&mut bytes)?;
        // A line that is still being written is for the next time.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.position += u64::try_from(whole).unwrap_or(0);
        let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
        for record in text.lines().filter_map(parse) {
            self.newest.insert(0, record);
        }
        self.newest.truncate(KEPT);
        Ok(())
    }
}

fn parse(line: &str) -> Option<Record> {
    let mut fields = fields(line).into_iter();
    // accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer, end, duration, billsec, disposition
    let (_, src, dst) = (fields.next()?, fields.next()?, fields.next()?);
    let (_, _, channel, dstchannel) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let last = format!("{}({})", fields.next()?, fields.next()?);
    let (start, _, _, _) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (billsec, disposition) = (fields.next()?, fields.next()?);
    Some(Record { src, dst, channel, dstchannel, last, start, billsec, disposition })
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
    use std::io::Write;

    use super::*;

    const LINE: &str = r#""","1001","1002","admin","""1001"" <1001>","SIP/1001-00000001","IAX2/zone1-2","Dial","IAX2/zone1/1002@admin,30,r","2026-11-27 10:00:00","2026-11-27 10:00:01","2026-11-27 10:00:05",5,4,"ANSWERED","DOCUMENTATION","1.2","""#;

    #[test]
    fn records_are_told_once_newest_first_and_only_when_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Master.csv");
        std::fs::write(&path, format!("{LINE}\n")).unwrap();
        let mut records = Records::new(path.clone());
        records.update().unwrap();
        assert_eq!(records.newest, [], "what was there before is none of ours");
        let mut file = File::options().append(true).open(&path).unwrap();
        write!(file, "{LINE}\n{}\n{}", LINE.replace("\"1002\"", "\"1003\""), LINE.split_at(30).0).unwrap();
        records.update().unwrap();
        records.update().unwrap();
        let dialled: Vec<_> = records.newest.iter().map(|record| record.dst.as_str()).collect();
        assert_eq!(dialled, ["1003", "1002"]);
        let record = &records.newest[1];
        assert_eq!((record.channel.as_str(), record.dstchannel.as_str()), ("SIP/1001-00000001", "IAX2/zone1-2"));
        assert_eq!(record.last, "Dial(IAX2/zone1/1002@admin,30,r)");
        assert_eq!((record.billsec.as_str(), record.disposition.as_str()), ("4", "ANSWERED"));
    }

    #[test]
    fn a_file_that_is_not_there_yet_has_no_records() {
        let mut records = Records::new("nowhere/Master.csv".into());
        records.update().unwrap();
        assert_eq!(records.newest, []);
    }
}
