//! Encrypting what the server keeps for people and has to show to others.

use crate::{
    error::{AppError, AppResult},
    keys::{Keys, Purpose},
};
use cerebros_db::seal::Sealed;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Encrypts a secret so that it opens in this place alone.
pub fn seal(keys: &Keys, place: &str, secret: &str) -> AppResult<Sealed> {
    let (key_id, key) = keys.current(Purpose::Secrets);
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut bytes = secret.as_bytes().to_vec();
    cipher(&key)
        .and_then(|cipher| {
            let nonce = Nonce::assume_unique_for_key(nonce);
            cipher.seal_in_place_append_tag(nonce, Aad::from(place), &mut bytes)
        })
        .map_err(|_| unsealable())?;
    Ok(Sealed {
        key_id,
        nonce: hex::encode(nonce),
        ciphertext: hex::encode(bytes),
    })
}

/// # Errors
/// A fault of the server when its secret is not in the ring any more, or the row was tampered with.
pub fn open(keys: &Keys, place: &str, sealed: &Sealed) -> AppResult<String> {
    let keys = keys.derived(Purpose::Secrets);
    let Some((_, key)) = keys.iter().find(|(id, _)| *id == sealed.key_id) else {
        let cause = anyhow::anyhow!("a stored key needs the secret {}, which is not here", sealed.key_id);
        return Err(AppError::internal(cause));
    };
    let mut nonce = [0; NONCE_LEN];
    hex::decode_to_slice(&sealed.nonce, &mut nonce).map_err(AppError::internal)?;
    let mut bytes = hex::decode(&sealed.ciphertext).map_err(AppError::internal)?;
    let opened = cipher(key).and_then(|cipher| {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = cipher.open_in_place(nonce, Aad::from(place), &mut bytes)?;
        Ok(opened.to_vec())
    });
    String::from_utf8(opened.map_err(|_| unsealable())?).map_err(AppError::internal)
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, ring::error::Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key)?))
}

fn unsealable() -> AppError {
    AppError::internal(anyhow::anyhow!("a stored key cannot be encrypted or opened"))
}
