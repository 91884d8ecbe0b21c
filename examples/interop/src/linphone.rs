//! linphonec, driven by typing.

use crate::audio::Audio;
use crate::pbx::Pbx;
use crate::process::Process;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A running linphonec that plays a file and records another.
#[derive(Debug)]
pub struct Linphone {
    process: Process,
    recording: PathBuf,
}

impl Linphone {
    /// Starts one that says a tone.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(pbx: &Pbx, tone: f64) -> Self {
        let place = pbx.folder.file("linphone");
        std::fs::create_dir_all(place.join(".local/share/linphone")).expect("a folder");
        std::fs::create_dir_all(place.join(".config/linphone")).expect("a folder");
        Audio::tone(tone, -10.0, Duration::from_secs(60)).write(&place.join("tone.wav"));
        let (sip, media) = (pbx.ports.address().port(), pbx.ports.phone_media(7));
        // Without auto_net_state_mon=0 it waits for a network beyond loopback.
        let configuration = format!(
            "[sip]\nsip_port={sip}\nsip_tcp_port=-1\nsip_tls_port=-1\nguess_hostname=0\nauto_net_state_mon=0\n\
             contact=sip:phone@127.0.0.1\nbind_address=127.0.0.1\nmedia_encryption=none\nregister_only_when_network_is_up=0\n\
             [video]\ncapture=0\ndisplay=0\nautomatically_initiate=0\nautomatically_accept=0\n\
             [net]\nmtu=1300\n[rtp]\naudio_rtp_port={}\nvideo_rtp_port={}\n\
             [audio_codec_0]\nmime=PCMU\nrate=8000\nchannels=1\nenabled=1\n\
             [audio_codec_1]\nmime=PCMA\nrate=8000\nchannels=1\nenabled=1\n",
            media.start(),
            media.start() + 10
        );
        std::fs::write(place.join("rc"), configuration).expect("a file");
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(place.join("rc")).args(["-d", "0"]).env("HOME", &place).current_dir(&place);
        let process = Process::start(&mut command, &place.join("log"));
        let recording = place.join("heard.wav");
        let mut linphone = Self { process, recording };
        linphone.process.type_line("soundcard use files");
        linphone.process.type_line(&format!("play {}", place.join("tone.wav").display()));
        let record = format!("record {}", linphone.recording.display());
        linphone.process.type_line(&record);
        linphone
    }

    /// Types a command.
    pub fn command(&mut self, line: &str) {
        self.process.type_line(line);
    }

    /// Waits for words.
    pub fn wait_for(&mut self, words: &str) {
        self.process.wait_for_output(words, crate::wait::PATIENCE);
    }

    /// What it has recorded so far.
    pub fn heard(&self) -> Audio {
        Audio::parse(&std::fs::read(&self.recording).unwrap_or_default())
    }

    /// Ends it.
    pub fn quit(&mut self) {
        self.process.type_line("quit");
        self.process.wait(crate::wait::PATIENCE);
    }
}
