//! What a side hears that the other side does not say.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::task::JoinHandle;

use super::{
    melody::melody,
    sound::{self, Sound, SoundError, Sounds},
    tone::Signal,
};

/// What a side hears instead of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Nothing, but in packets: keeps ways through firewalls open.
    Silence,
    /// Itself.
    Echo,
    /// 1,004 Hz at 0 dBm0.
    Milliwatt,
    /// The other side rings.
    Ringback,
    /// The other side is busy.
    Busy,
    /// There is no way to the other side.
    Congestion,
    /// Music, of a class when there is one.
    Music(Option<Arc<str>>),
    /// A file by its name without ending; once.
    File(Arc<str>),
    /// Samples, 8,000 a second; once.
    Samples(Arc<[i16]>),
}

/// A source that sounds.
#[derive(Debug)]
pub(super) struct Player {
    state: State,
}

type Loading<T> = JoinHandle<Result<T, SoundError>>;

#[derive(Debug)]
enum State {
    Silence,
    Echo,
    Signal {
        signal: Signal,
        position: usize,
    },
    Loading(Loading<Sound>),
    Sound {
        samples: Arc<[i16]>,
        position: usize,
    },
    Tune {
        samples: Arc<[i16]>,
        position: usize,
    },
    /// Music of files: those that there are, the one that comes next, the one that sounds.
    Listing(JoinHandle<Vec<PathBuf>>),
    Files {
        files: Vec<PathBuf>,
        next: usize,
        loading: Option<Loading<Sound>>,
        samples: Arc<[i16]>,
        position: usize,
    },
}

/// How it went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The samples are filled.
    Sounds,
    /// A disk is waited for.
    Waits,
    /// It is over; `false`: there was nothing to play.
    Over(bool),
}

impl Player {
    /// Begins. Files are read on threads of their own.
    pub(super) fn new(source: Source, sounds: &Arc<Sounds>) -> Self {
        let shared = Arc::clone(sounds);
        let signal = |signal| State::Signal { signal, position: 0 };
        let state = match source {
            Source::Silence => State::Silence,
            Source::Echo => State::Echo,
            Source::Milliwatt => signal(Signal::Milliwatt),
            Source::Ringback => signal(Signal::Ringback),
            Source::Busy => signal(Signal::Busy),
            Source::Congestion => signal(Signal::Congestion),
            Source::Music(class) => State::Listing(tokio::task::spawn_blocking(move || shared.music(class.as_deref()))),
            Source::File(name) => State::Loading(tokio::task::spawn_blocking(move || {
                shared.load(&name).inspect_err(|error| tracing::warn!(sound = &*name, %error, "a sound is not played"))
            })),
            Source::Samples(samples) => State::Sound { samples, position: 0 },
        };
        Self { state }
    }

    /// Whether the side hears itself.
    pub(super) fn is_echo(&self) -> bool {
        matches!(self.state, State::Echo)
    }

    /// Silence from now on.
    pub(super) fn end(&mut self) {
        self.state = State::Silence;
    }

    /// Whether it comes to an end by itself.
    pub(super) fn ends(&self) -> bool {
        matches!(self.state, State::Loading(_) | State::Sound { .. })
    }

    /// The next samples.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, samples: &mut [i16]) -> Progress {
        if let Some(progress) = self.wait(cx) {
            return progress;
        }
        match &mut self.state {
            State::Silence | State::Echo => samples.fill(0),
            State::Signal { signal, position } => *position = signal.fill(*position, samples),
            State::Sound { samples: sound, position } => {
                let rest = sound.get(*position..).unwrap_or(&[]);
                if rest.is_empty() {
                    self.state = State::Silence;
                    return Progress::Over(true);
                }
                *position += copy(rest, samples);
            }
            State::Tune { samples: tune, position } => {
                for sample in samples {
                    *sample = tune.get(*position).copied().unwrap_or(0);
                    *position = (*position + 1) % tune.len().max(1);
                }
            }
            State::Files { files, next, loading, samples: sound, position } => {
                let rest = sound.get(*position..).unwrap_or(&[]);
                *position += copy(rest, samples);
                if *position >= sound.len() {
                    let path = files.get(*next).cloned().unwrap_or_default();
                    *next = (*next + 1) % files.len().max(1);
                    *loading = Some(tokio::task::spawn_blocking(move || sound::read(&path)));
                }
            }
            State::Loading(_) | State::Listing(_) => return Progress::Waits,
        }
        Progress::Sounds
    }

    /// Takes what a disk brought; tells when nothing can be filled now.
    fn wait(&mut self, cx: &mut Context<'_>) -> Option<Progress> {
        match &mut self.state {
            State::Loading(loading) => match Pin::new(loading).poll(cx) {
                Poll::Ready(Ok(Ok(Sound(samples)))) => self.state = State::Sound { samples, position: 0 },
                Poll::Ready(_) => {
                    self.state = State::Silence;
                    return Some(Progress::Over(false));
                }
                Poll::Pending => return Some(Progress::Waits),
            },
            State::Listing(listing) => match Pin::new(listing).poll(cx) {
                Poll::Ready(Ok(files)) if !files.is_empty() => {
                    self.state = State::Files { files, next: 0, loading: None, samples: Arc::from([]), position: 0 };
                }
                Poll::Ready(_) => self.state = State::Tune { samples: melody(), position: 0 },
                Poll::Pending => return Some(Progress::Waits),
            },
            State::Files { loading: Some(loading), samples, position, .. } => match Pin::new(loading).poll(cx) {
                Poll::Ready(Ok(Ok(Sound(read)))) if !read.is_empty() => {
                    (*samples, *position) = (read, 0);
                    if let State::Files { loading, .. } = &mut self.state {
                        *loading = None;
                    }
                }
                // One that cannot be played: there is a tune that always can.
                Poll::Ready(_) => self.state = State::Tune { samples: melody(), position: 0 },
                Poll::Pending => return Some(Progress::Waits),
            },
            _ => {}
        }
        None
    }
}

/// Copies what there is and fills up with silence; returns how much there was.
fn copy(from: &[i16], to: &mut [i16]) -> usize {
    let length = from.len().min(to.len());
    for (to, from) in to.iter_mut().zip(from.iter().chain(std::iter::repeat(&0))) {
        *to = *from;
    }
    length
}
