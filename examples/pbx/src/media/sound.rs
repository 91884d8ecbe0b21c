//! Sounds from files: 8,000 samples a second, one channel.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rtp::{g711::Law, tone::Tone};

/// The longest file that is read: 35 minutes of 16 bits.
const LARGEST: u64 = 32 << 20;

/// What may follow a name, in the order in which it is looked for.
const EXTENSIONS: [&str; 8] = ["wav", "ulaw", "ul", "pcm", "alaw", "al", "sln", "raw"];

/// Samples to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound(pub Arc<[i16]>);

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoundError {
    /// Neither a file of this name and a known ending nor a sound of ours.
    #[error("no such sound")]
    Missing,
    /// A name that leads out of the folder.
    #[error("the name leads out of the folder of sounds")]
    Outside,
    /// The file is longer than 32 MB.
    #[error("the file is too long")]
    TooLong,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Not what can be played: the reason says what it should be.
    #[error("{0}")]
    Format(&'static str),
}

/// Where sounds are.
#[derive(Debug, Clone, Default)]
pub struct Sounds {
    folder: Option<PathBuf>,
    music: Option<PathBuf>,
}

impl Sounds {
    /// Only those that are made here: `beep`, `silence/1` to `silence/99`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also the files of a folder and of those in it.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Also music: the files of a folder, or of the folder in it that has the name of the class.
    #[must_use]
    pub fn with_music(mut self, folder: impl Into<PathBuf>) -> Self {
        self.music = Some(folder.into());
        self
    }

    /// Reads a sound. It may wait for a disk.
    ///
    /// # Errors
    /// Says why there is none.
    pub fn load(&self, name: &str) -> Result<Sound, SoundError> {
        match self.find(name) {
            Ok(path) => read(&path),
            Err(SoundError::Missing) => made_here(name).ok_or(SoundError::Missing),
            Err(error) => Err(error),
        }
    }

    /// The files of a class of music in the order of their names; none: the tune that is made here.
    #[must_use]
    pub fn music(&self, class: Option<&str>) -> Vec<PathBuf> {
        let Some(folder) = &self.music else { return Vec::new() };
        let within = class.and_then(|class| relative(Path::new(class)).ok()).map(|class| folder.join(class));
        let folder = within.filter(|within| within.is_dir()).unwrap_or_else(|| folder.clone());
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let playable = |path: &PathBuf| {
            path.extension().and_then(|it| it.to_str()).is_some_and(|it| EXTENSIONS.contains(&it)) && path.is_file()
        };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(playable).collect();
        files.sort();
        files
    }

    fn find(&self, name: &str) -> Result<PathBuf, SoundError> {
        let Some(folder) = &self.folder else { return Err(SoundError::Missing) };
        let name = Path::new(name);
        // An absolute name is as good if it lies in the folder.
        let within = relative(name.strip_prefix(folder).unwrap_or(name))?;
        let whole = folder.join(&within);
        if whole.extension().is_some() && whole.is_file() {
            return Ok(whole);
        }
        let endings = EXTENSIONS.iter().map(|extension| {
            let mut path = whole.clone().into_os_string();
            path.push(".");
            path.push(extension);
            PathBuf::from(path)
        });
        endings.into_iter().find(|path| path.is_file()).ok_or(SoundError::Missing)
    }
}

/// A name that does not lead out of its folder.
fn relative(name: &Path) -> Result<PathBuf, SoundError> {
    let ordinary = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.as_os_str().is_empty() || !name.components().all(|part| ordinary(&part)) {
        return Err(SoundError::Outside);
    }
    Ok(name.to_owned())
}

/// Reads a file; its ending tells what is in it.
pub(super) fn read(path: &Path) -> Result<Sound, SoundError> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(SoundError::TooLong);
    }
    let bytes = fs::read(path)?;
    let samples = match path.extension().and_then(|it| it.to_str()) {
        Some("wav") => wave(&bytes)?,
        Some("ulaw" | "ul" | "pcm") => Law::Mu.decode(&bytes).collect(),
        Some("alaw" | "al") => Law::A.decode(&bytes).collect(),
        Some("sln" | "raw") => linear(&bytes),
        _ => return Err(SoundError::Missing),
    };
    Ok(Sound(samples))
}

fn made_here(name: &str) -> Option<Sound> {
    if name == "beep" {
        return Some(Sound(Tone::new(1_000.0, -12.0, 8_000).take(2_000).collect()));
    }
    let seconds: u8 = name.strip_prefix("silence/")?.parse().ok()?;
    (1..=99).contains(&seconds).then(|| Sound(vec![0; usize::from(seconds) * 8_000].into()))
}

fn linear(bytes: &[u8]) -> Arc<[i16]> {
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// The samples of a RIFF file: the chunks that matter are `fmt ` and `data`.
fn wave(bytes: &[u8]) -> Result<Arc<[i16]>, SoundError> {
    const WANTED: SoundError =
        SoundError::Format("a .wav file must have one channel of 8000 samples a second, 16 bits or G.711");
    let Some(mut rest) = bytes.strip_prefix(b"RIFF").and_then(|it| it.get(4..)).and_then(|it| it.strip_prefix(b"WAVE"))
    else {
        return Err(SoundError::Format("not a .wav file"));
    };
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, l0, l1, l2, l3] = *head;
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        // Writers that were cut off leave a length beyond the end.
        let chunk = body.get(..length).unwrap_or(body);
        match &[a, b, c, d] {
            b"fmt " => {
                let Some(&[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1]) = chunk.first_chunk::<16>()
                else {
                    return Err(SoundError::Format("not a .wav file"));
                };
                let number = |low, high| u16::from_le_bytes([low, high]);
                let rate = u32::from_le_bytes([r0, r1, r2, r3]);
                if (number(c0, c1), rate) != (1, 8_000) {
                    return Err(WANTED);
                }
                format = Some((number(t0, t1), number(b0, b1)));
            }
            b"data" => {
                return match format {
                    Some((1, 16)) => Ok(linear(chunk)),
                    Some((6, 8)) => Ok(Law::A.decode(chunk).collect()),
                    Some((7, 8)) => Ok(Law::Mu.decode(chunk).collect()),
                    _ => Err(WANTED),
                };
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or(&[]);
    }
    Err(SoundError::Format("a .wav file without samples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave_file(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        for part in [format.to_le_bytes(), channels.to_le_bytes()] {
            bytes.extend(part);
        }
        bytes.extend(rate.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn files_of_each_kind_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        put("en/hello.wav", &wave_file(1, 1, 8_000, 16, &[0x34, 0x12, 0xff, 0xff]));
        put("mu.wav", &wave_file(7, 1, 8_000, 8, &[0xff, 0x80]));
        put("plain.ulaw", &[0xff, 0x80]);
        put("other.alaw", &[0xd5]);
        put("third.sln", &[0x34, 0x12]);
        let sounds = Sounds::new().in_folder(folder.path());
        let load = |name: &str| sounds.load(name).unwrap().0.to_vec();
        assert_eq!(load("en/hello"), [0x1234, -1]);
        assert_eq!(load("en/hello.wav"), [0x1234, -1]);
        assert_eq!(load(folder.path().join("en/hello").to_str().unwrap()), [0x1234, -1]);
        assert_eq!(load("mu"), load("plain"));
        assert_eq!(load("other"), [8]);
        assert_eq!(load("third"), [0x1234]);
        assert_eq!(load("silence/2").len(), 16_000);
        assert_eq!(load("beep").len(), 2_000);
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("stereo.wav", wave_file(1, 2, 8_000, 16, &[0; 8])),
            ("fast.wav", wave_file(1, 1, 44_100, 16, &[0; 8])),
            ("eight.wav", wave_file(1, 1, 8_000, 8, &[0; 8])),
            ("short.wav", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0abc".to_vec()),
            ("none.wav", b"RIFF".to_vec()),
            ("empty.wav", wave_file(1, 1, 8_000, 16, &[])[..44].to_vec()),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let sounds = Sounds::new().in_folder(folder.path());
        for name in ["stereo", "fast", "eight", "short", "none", "empty"] {
            assert!(matches!(sounds.load(name), Err(SoundError::Format(_))), "{name}");
        }
        for name in ["../secret", "/etc/passwd", "a/../../b", ""] {
            assert!(matches!(sounds.load(name), Err(SoundError::Outside)), "{name}");
        }
        for name in ["nothing", "silence/0", "silence/x"] {
            assert!(matches!(sounds.load(name), Err(SoundError::Missing)), "{name}");
        }
    }

    #[test]
    fn music_is_the_files_of_its_class() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("jazz")).unwrap();
        for name in ["b.wav", "a.ulaw", "notes.txt", "jazz/c.wav"] {
            fs::write(folder.path().join(name), []).unwrap();
        }
        let sounds = Sounds::new().with_music(folder.path());
        let names = |class| {
            let files = sounds.music(class);
            files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["a.ulaw", "b.wav"]);
        assert_eq!(names(Some("jazz")), ["c.wav"]);
        assert_eq!(names(Some("default")), ["a.ulaw", "b.wav"], "a class without a folder");
        assert_eq!(names(Some("../..")), ["a.ulaw", "b.wav"]);
        assert!(Sounds::new().music(None).is_empty());
    }
}
