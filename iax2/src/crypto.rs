//! Encrypted frames (RFC 5456 §7.4, §8.1.4): AES-128 in CBC mode with a zero IV a frame, and no integrity at all.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use bytes::{BufMut, Bytes, BytesMut};
use rand_core::RngCore;

use crate::{ErrorKind, ParseError, Part};

const BLOCK: usize = 16;

/// One key.
pub(crate) struct Cipher(Aes128);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(…)")
    }
}

impl Cipher {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self(Aes128::new(&key.into()))
    }

    /// Encrypts a frame after its first `clear` bytes: 16 to 31 random bytes in front make whole blocks.
    pub(crate) fn seal(&self, frame: &[u8], clear: usize, rng: &mut impl RngCore) -> Bytes {
        let (head, body) = frame.split_at_checked(clear).unwrap_or((frame, &[]));
        let padding = BLOCK + (BLOCK - body.len() % BLOCK) % BLOCK;
        let mut out = BytesMut::with_capacity(clear + padding + body.len());
        out.put_slice(head);
        let mut random = [0u8; 2 * BLOCK];
        rng.fill_bytes(&mut random);
        if let Some(mark) = random.get_mut(BLOCK - 1) {
            *mark = (*mark & 0xf0) | (padding - BLOCK) as u8;
        }
        out.put_slice(random.get(..padding).unwrap_or(&random));
        out.put_slice(body);
        let mut previous = [0u8; BLOCK];
        if let Some(sealed) = out.get_mut(head.len()..) {
            for chunk in sealed.chunks_exact_mut(BLOCK) {
                for (byte, before) in chunk.iter_mut().zip(previous) {
                    *byte ^= before;
                }
                if let Ok(block) = <&mut [u8; BLOCK]>::try_from(&mut *chunk) {
                    self.0.encrypt_block(block.into());
                    previous = *block;
                }
            }
        }
        out.freeze()
    }

    /// Decrypts a frame after its first `clear` bytes and takes the random bytes out.
    ///
    /// # Errors
    /// Not whole blocks, or fewer than the padding says. There is no integrity check: another key's frame decrypts too.
    pub(crate) fn open(&self, frame: &[u8], clear: usize) -> Result<Bytes, ParseError> {
        let error = ParseError::new(ErrorKind::Invalid, Part::Encrypted, clear);
        let (head, body) = frame.split_at_checked(clear).ok_or(error)?;
        if body.is_empty() || body.len() % BLOCK != 0 {
            return Err(error);
        }
        let mut plain = BytesMut::with_capacity(frame.len());
        let mut previous = [0u8; BLOCK];
        for chunk in body.chunks_exact(BLOCK) {
            let sealed = <[u8; BLOCK]>::try_from(chunk).map_err(|_| error)?;
            let mut block = sealed.into();
            self.0.decrypt_block(&mut block);
            for (byte, before) in block.iter_mut().zip(previous) {
                *byte ^= before;
            }
            previous = sealed;
            plain.put_slice(&block);
        }
        let padding = BLOCK + usize::from(plain.get(BLOCK - 1).ok_or(error)? & 0x0f);
        // The clear bytes go where the last of the random ones were.
        let start = padding.checked_sub(clear).ok_or(error)?;
        if plain.len() < padding {
            return Err(error);
        }
        plain.get_mut(start..padding).ok_or(error)?.copy_from_slice(head);
        Ok(plain.freeze().slice(start..))
    }
}

/// Both directions of an encrypted call.
#[derive(Debug)]
pub(crate) struct Ciphers {
    /// What we encrypt with.
    pub(crate) send: Cipher,
    /// What the peer encrypts with now.
    pub(crate) receive: Cipher,
    /// What it did before its last RTKEY: frames sent before and repeated after still come under it.
    pub(crate) before: Option<Cipher>,
}

impl Ciphers {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self { send: Cipher::new(key), receive: Cipher::new(key), before: None }
    }

    /// The peer rotated its key.
    pub(crate) fn rotate_receive(&mut self, key: [u8; 16]) {
        self.before = Some(std::mem::replace(&mut self.receive, Cipher::new(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn a_sealed_frame_opens_again_whatever_its_length() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
        let cipher = Cipher::new([7; 16]);
        for clear in [2, 4] {
            for len in clear..80 {
                let frame: Vec<u8> = (0..len as u8).collect();
                let sealed = cipher.seal(&frame, clear, &mut rng);
                assert_eq!((sealed.len() - clear) % 16, 0);
                assert!((16..32).contains(&(sealed.len() - frame.len())));
                assert_eq!(cipher.open(&sealed, clear).unwrap(), frame);
            }
        }
    }

    #[test]
    fn what_is_not_whole_blocks_is_refused() {
        let cipher = Cipher::new([7; 16]);
        for len in [0, 3, 4, 19, 21] {
            assert!(cipher.open(&vec![0x80; len], 4).is_err(), "{len}");
        }
    }
}
