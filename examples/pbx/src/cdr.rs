//! Call records as Asterisk's `cdr_csv` writes them: one line of `Master.csv` a call.
//!
//! Each line is appended with one write and goes to the system at once, so that a crash of the program loses nothing
//! that was written and one of the machine at most the last lines. The file is opened again when it was moved or
//! removed, so that `logrotate` needs no signal.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, tz::TimeZone};

/// How a call ended, in Asterisk's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It was answered.
    Answered,
    /// It rang until somebody gave up.
    NoAnswer,
    /// The other side was busy.
    Busy,
    /// It could not be set up.
    Failed,
}

impl Disposition {
    /// The word in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "ANSWERED",
            Self::NoAnswer => "NO ANSWER",
            Self::Busy => "BUSY",
            Self::Failed => "FAILED",
        }
    }
}

/// One call, from its first INVITE to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The account that is charged.
    pub accountcode: String,
    /// The caller's number.
    pub src: String,
    /// The number dialled.
    pub dst: String,
    /// The dialplan context; this program has one.
    pub dcontext: String,
    /// The caller's name and number, `"Alice" <1001>`.
    pub clid: String,
    /// The caller's channel.
    pub channel: String,
    /// The called phone's channel, empty when there was none.
    pub dstchannel: String,
    /// What was done with the call: `Dial`, `Echo`, `Milliwatt`.
    pub lastapp: String,
    /// To whom: `SIP/1002`.
    pub lastdata: String,
    /// When the INVITE came.
    pub start: SystemTime,
    /// When it was answered.
    pub answer: Option<SystemTime>,
    /// When it ended.
    pub end: SystemTime,
    /// From the INVITE to the end, by the monotone clock.
    pub duration: Duration,
    /// From the answer to the end, by the monotone clock.
    pub billsec: Duration,
    /// How it ended.
    pub disposition: Disposition,
    /// The identity of the call: seconds since 1970, a dot, a running number.
    pub uniqueid: String,
    /// Free text.
    pub userfield: String,
}

impl Record {
    /// The line, with its line feed; times are those of `zone`.
    #[must_use]
    pub fn line(&self, zone: &TimeZone) -> String {
        let mut line = String::with_capacity(256);
        let texts = [
            &self.accountcode,
            &self.src,
            &self.dst,
            &self.dcontext,
            &self.clid,
            &self.channel,
            &self.dstchannel,
            &self.lastapp,
            &self.lastdata,
        ];
        for text in texts {
            quote(&mut line, text);
        }
        quote(&mut line, &local(self.start, zone));
        match self.answer {
            Some(answer) => quote(&mut line, &local(answer, zone)),
            // Asterisk leaves the field empty, without quotes.
            None => line.push(','),
        }
        quote(&mut line, &local(self.end, zone));
        line.push_str(&format!("{},{},", self.duration.as_secs(), self.billsec.as_secs()));
        quote(&mut line, self.disposition.as_str());
        quote(&mut line, "DOCUMENTATION");
        quote(&mut line, &self.uniqueid);
        quote(&mut line, &self.userfield);
        line.pop();
        line.push('\n');
        line
    }
}

/// A quoted field and its comma. Quotes are doubled; control characters become spaces, so that a record is one line.
fn quote(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\"\""),
            control if control.is_control() => line.push(' '),
            other => line.push(other),
        }
    }
    line.push_str("\",");
}

fn local(time: SystemTime, zone: &TimeZone) -> String {
    let timestamp = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The file of records.
#[derive(Debug)]
pub struct Master {
    path: PathBuf,
    file: File,
    identity: Option<(u64, u64)>,
    zone: TimeZone,
}

impl Master {
    /// Opens the file, making it and its folder when they are not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_in(path, TimeZone::system())
    }

    /// As [`Master::open`], with the time zone of the records.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_in(path: &Path, zone: TimeZone) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = append(path)?;
        // What a crash left of a last line ends here, so that the next record begins a line.
        if !ends_with_line_feed(path)? {
            file.write_all(b"\n")?;
        }
        let identity = identity(&file.metadata()?);
        Ok(Self { path: path.to_owned(), file, identity, zone })
    }

    /// Appends a record and hands it to the system.
    ///
    /// # Errors
    /// What the system says: the record is then lost, the next one is tried anew.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let here = std::fs::metadata(&self.path).ok().and_then(|metadata| identity(&metadata));
        if here.is_none() || here != self.identity {
            *self = Self::open_in(&self.path, self.zone.clone())?;
        }
        self.file.write_all(record.line(&self.zone).as_bytes())?;
        self.file.flush()
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn ends_with_line_feed(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Option<(u64, u64)> {
    Some((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Record {
            accountcode: String::new(),
            src: "1001".into(),
            dst: "1002".into(),
            dcontext: "default".into(),
            clid: "\"Alice\" <1001>".into(),
            channel: "SIP/1001-00000001".into(),
            dstchannel: "SIP/1002-00000002".into(),
            lastapp: "Dial".into(),
            lastdata: "SIP/1002".into(),
            start,
            answer: Some(start + Duration::from_secs(4)),
            end: start + Duration::from_secs(64),
            duration: Duration::from_millis(64_900),
            billsec: Duration::from_millis(60_900),
            disposition: Disposition::Answered,
            uniqueid: "1700000000.1".into(),
            userfield: String::new(),
        }
    }

    #[test]
    fn a_record_is_written_as_asterisk_writes_it() {
        assert_eq!(
            record().line(&TimeZone::UTC),
            "\"\",\"1001\",\"1002\",\"default\",\"\"\"Alice\"\" <1001>\",\"SIP/1001-00000001\",\"SIP/1002-00000002\",\
             \"Dial\",\"SIP/1002\",\"2023-11-14 22:13:20\",\"2023-11-14 22:13:24\",\"2023-11-14 22:14:24\",64,60,\
             \"ANSWERED\",\"DOCUMENTATION\",\"1700000000.1\",\"\"\n"
        );
    }

    #[test]
    fn a_call_that_was_not_answered_has_an_empty_field_without_quotes() {
        let record = Record { answer: None, disposition: Disposition::NoAnswer, ..record() };
        let line = record.line(&TimeZone::UTC);
        assert!(line.contains("\"2023-11-14 22:13:20\",,\"2023-11-14 22:14:24\""), "{line}");
        assert!(line.contains("\"NO ANSWER\""), "{line}");
    }

    #[test]
    fn a_name_with_line_feeds_cannot_add_a_record() {
        let record = Record { clid: "\"a\r\nb\" <1001>".into(), ..record() };
        assert_eq!(record.line(&TimeZone::UTC).matches('\n').count(), 1);
    }

    #[test]
    fn times_are_local() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert!(record().line(&berlin).contains("\"2023-11-14 23:13:20\""));
    }

    #[test]
    fn records_are_on_disk_as_soon_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/Master.csv");
        let mut master = Master::open_in(&path, TimeZone::UTC).unwrap();
        for lines in 1..4 {
            master.write(&record()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), lines);
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Master.csv");
        let mut master = Master::open_in(&path, TimeZone::UTC).unwrap();
        master.write(&record()).unwrap();
        std::fs::rename(&path, folder.path().join("Master.csv.1")).unwrap();
        master.write(&record()).unwrap();
        master.write(&record()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(std::fs::read_to_string(folder.path().join("Master.csv.1")).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_line_cut_by_a_crash_does_not_swallow_the_next_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Master.csv");
        std::fs::write(&path, "\"\",\"1001\",\"10").unwrap();
        Master::open_in(&path, TimeZone::UTC).unwrap().write(&record()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().nth(1), record().line(&TimeZone::UTC).lines().next());
    }
}
