//! Voice and video of a call: full frames, mini frames, meta video frames, trunk entries.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{Call, CommandError};
use crate::Format;
use crate::event::{Event, Output};
use crate::frame::{Command, Kind, Mini, Subclass, Video};
use crate::link::Cx;

/// How a frame of voice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// It went.
    Sent,
    /// The endpoint has to put it into the trunk to the call's peer.
    Trunk {
        /// Low bits of its timestamp.
        timestamp: u16,
    },
}

impl Call {
    fn may_send(&self) -> Result<(), CommandError> {
        if !self.flow.is_linked() {
            Err(CommandError::State)
        } else if !self.link.validated {
            Err(CommandError::Unvalidated)
        } else if self.quelched {
            Err(CommandError::Quelched)
        } else {
            Ok(())
        }
    }

    fn media_path(&self) -> (SocketAddr, u16) {
        self.media.unwrap_or((self.link.address, self.link.remote))
    }

    /// Sends voice: a full frame first and at each wrap of the short timestamp, else the cheapest that is allowed.
    pub(crate) fn send_voice(
        &mut self,
        cx: &mut Cx<'_>,
        format: Option<Format>,
        timestamp: Option<u32>,
        payload: &[u8],
        full: bool,
    ) -> Result<Carrier, CommandError> {
        self.may_send()?;
        let format = format.or(self.format).ok_or(CommandError::State)?;
        let timestamp = timestamp.unwrap_or_else(|| self.voice_out.predict(self.link.elapsed(cx.now)));
        let duration = format.duration(payload.len()).unwrap_or(20);
        // In a trunk a timestamp of 0 means that there is none. Such a frame may come late, or twice.
        let unsayable = self.trunked && timestamp & 0xffff == 0;
        if full || unsayable || self.voice_out.needs_full(timestamp, format, 16) {
            if self.link.reliable.outstanding() >= self.limit(cx) {
                return Err(CommandError::Busy);
            }
            if self.rotates && self.next_rotation.is_none() {
                self.rotate(cx);
                // Once only, if no interval says otherwise.
                self.rotates = self.next_rotation.is_some();
            }
            self.voice_out.sent(timestamp, format, 16, duration);
            self.link.send_at(cx, timestamp, Kind::Voice(Subclass::from(format)), payload);
            return Ok(Carrier::Sent);
        }
        self.voice_out.sent(timestamp, format, 16, duration);
        let short = (timestamp & 0xffff) as u16;
        // Voice of an encrypted call never goes by trunk: it would be in clear there.
        if self.trunked && !self.is_encrypted() && self.media.is_none() {
            return Ok(Carrier::Trunk { timestamp: short });
        }
        let mini = Mini { source_call: self.link.local, timestamp: short, payload };
        let mut frame = BytesMut::with_capacity(Mini::HEADER_LEN + payload.len());
        mini.encode(&mut frame);
        let payload = match &self.link.ciphers {
            Some(ciphers) => ciphers.send.seal(&frame, 2, cx.rng),
            None => frame.freeze(),
        };
        let (destination, _) = self.media_path();
        cx.out.push_back(Output::Datagram { destination, payload });
        Ok(Carrier::Sent)
    }

    /// Sends video. An encrypted call sends all of it in full frames: meta video frames have no encrypted form.
    pub(crate) fn send_video(
        &mut self,
        cx: &mut Cx<'_>,
        format: Format,
        timestamp: u32,
        mark: bool,
        payload: &[u8],
    ) -> Result<(), CommandError> {
        self.may_send()?;
        if self.is_encrypted() || self.video_out.needs_full(timestamp, format, 15) {
            if self.link.reliable.outstanding() >= self.limit(cx) {
                return Err(CommandError::Busy);
            }
            let subclass = Subclass::from_byte(Subclass::from(format).to_byte() | (u8::from(mark) << 6));
            self.video_out.sent(timestamp, format, 15, 0);
            self.link.send_at(cx, timestamp, Kind::Video(subclass), payload);
            return Ok(());
        }
        self.video_out.sent(timestamp, format, 15, 0);
        let video = Video { source_call: self.link.local, mark, timestamp: (timestamp & 0x7fff) as u16, payload };
        let mut frame = BytesMut::with_capacity(Video::HEADER_LEN + payload.len());
        video.encode(&mut frame);
        let (destination, _) = self.media_path();
        cx.out.push_back(Output::Datagram { destination, payload: frame.freeze() });
        Ok(())
    }

    /// Whether media may be taken: the call is linked, and its peer answered to our number.
    fn takes_media(&self) -> bool {
        self.flow.is_linked() && self.link.validated
    }

    pub(super) fn on_full_voice(&mut self, cx: &mut Cx<'_>, format: Format, timestamp: u32, payload: Bytes) {
        self.voice_in.full(timestamp, format, self.link.elapsed(cx.now));
        cx.event(Event::Voice { call: self.id, format, timestamp, payload });
    }

    /// A mini frame, as it came.
    pub(crate) fn on_mini(&mut self, cx: &mut Cx<'_>, datagram: &Bytes) {
        if !self.takes_media() {
            return;
        }
        let plain = match &self.link.ciphers {
            None => datagram.clone(),
            Some(ciphers) => {
                // A frame that overtook the RTKEY, or was overtaken by it, opens under the other key. Only the
                // timestamp tells: it is near the last one under the right key.
                let near = |plain: &Bytes| match Mini::parse(plain) {
                    Ok(mini) => self.voice_in.is_near(mini.timestamp),
                    Err(_) => false,
                };
                let open = |cipher: &crate::crypto::Cipher| cipher.open(datagram, 2).ok();
                let current = open(&ciphers.receive);
                let before = ciphers.before.as_ref().filter(|_| !current.as_ref().is_some_and(near));
                match before.and_then(open).filter(near).or(current) {
                    Some(plain) => plain,
                    None => return,
                }
            }
        };
        let Ok(mini) = Mini::parse(&plain) else { return };
        let arrived = self.link.elapsed(cx.now);
        match self.voice_in.short(u32::from(mini.timestamp), 16, arrived, mini.payload.len()) {
            Some((format, timestamp)) => {
                let payload = plain.slice(Mini::HEADER_LEN..);
                cx.event(Event::Voice { call: self.id, format, timestamp, payload });
            }
            None => self.miss(cx),
        }
    }

    /// A trunk entry: with its own timestamp, or under the trunk's.
    pub(crate) fn on_trunked(&mut self, cx: &mut Cx<'_>, timestamp: Option<u16>, trunk: u32, payload: Bytes) {
        // Voice in clear is not taken from an encrypted call: whoever can spoof an address could speak in it.
        // Asterisk sends such voice when trunk and encryption are both on; it is heard only when nothing else is meant.
        if !self.takes_media() || self.is_encrypted() {
            return;
        }
        let arrived = self.link.elapsed(cx.now);
        let found = match timestamp {
            Some(timestamp) => self.voice_in.short(u32::from(timestamp), 16, arrived, payload.len()),
            None => self.voice_in.trunked(trunk, arrived, payload.len()),
        };
        match found {
            Some((format, timestamp)) => cx.event(Event::Voice { call: self.id, format, timestamp, payload }),
            None => self.miss(cx),
        }
    }

    /// A meta video frame.
    pub(crate) fn on_video(&mut self, cx: &mut Cx<'_>, timestamp: u16, mark: bool, payload: Bytes) {
        if !self.takes_media() || self.is_encrypted() {
            return;
        }
        let arrived = self.link.elapsed(cx.now);
        match self.video_in.short(u32::from(timestamp), 15, arrived, 0) {
            Some((format, timestamp)) => {
                cx.event(Event::Video { call: self.id, format, timestamp, mark, payload });
            }
            None => self.miss(cx),
        }
    }

    /// Voice before a full voice frame: the frame is asked for (RFC 5456 §6.9.3), ten times a second at most.
    fn miss(&mut self, cx: &mut Cx<'_>) {
        if self.last_vnak.is_some_and(|last| cx.now.saturating_duration_since(last) < Duration::from_millis(100)) {
            return;
        }
        self.last_vnak = Some(cx.now);
        self.link.send_at(cx, 0, Kind::Iax(Command::Vnak), &[]);
    }

    pub(super) fn limit(&self, cx: &Cx<'_>) -> usize {
        cx.config.max_outstanding.min(120)
    }

    /// The next frames of media are full ones, and the peer's are expected to be.
    pub(super) fn restart_media(&mut self) {
        self.voice_out.forget();
        self.video_out.forget();
        self.voice_in.forget();
        self.video_in.forget();
    }

    pub(super) fn restart_media_out(&mut self) {
        self.voice_out.forget();
        self.video_out.forget();
    }
}
