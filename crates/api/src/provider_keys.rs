//! Encrypting what people entrust to the server, and using it.

use crate::{
    error::{AppError, AppResult},
    keys::{Keys, Purpose},
    state::App,
};
use cerebros_common::{ids::WorkspaceId, provider_keys::Provider};
use cerebros_db::{self as db, Scope, provider_keys::Sealed};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Encrypts a key so that it opens for this workspace and provider alone.
pub fn seal(keys: &Keys, workspace_id: WorkspaceId, provider: Provider, secret: &str) -> AppResult<Sealed> {
    let (key_id, key) = keys.current(Purpose::Secrets);
    let nonce: [u8; NONCE_LEN] = rand::random();
    let mut bytes = secret.as_bytes().to_vec();
    cipher(&key)
        .and_then(|cipher| {
            let place = Aad::from(place(workspace_id, provider));
            cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut bytes)
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
pub fn open(keys: &Keys, workspace_id: WorkspaceId, provider: Provider, sealed: &Sealed) -> AppResult<String> {
    let keys = keys.derived(Purpose::Secrets);
    let Some((_, key)) = keys.iter().find(|(id, _)| *id == sealed.key_id) else {
        let cause = anyhow::anyhow!("a stored key needs the secret {}, which is not here", sealed.key_id);
        return Err(AppError::internal(cause));
    };
    let mut nonce = [0; NONCE_LEN];
    hex::decode_to_slice(&sealed.nonce, &mut nonce).map_err(AppError::internal)?;
    let mut bytes = hex::decode(&sealed.ciphertext).map_err(AppError::internal)?;
    let opened = cipher(key).and_then(|cipher| {
        let place = Aad::from(place(workspace_id, provider));
        let opened = cipher.open_in_place(Nonce::assume_unique_for_key(nonce), place, &mut bytes)?;
        Ok(opened.to_vec())
    });
    String::from_utf8(opened.map_err(|_| unsealable())?).map_err(AppError::internal)
}

/// The workspace's own key for a provider, if it has one.
pub async fn find(app: &App, scope: &Scope, provider: Provider) -> AppResult<Option<String>> {
    let sealed = db::provider_keys::find_sealed(scope, &app.db, provider).await?;
    let opened = sealed.map(|sealed| open(&app.keys, scope.workspace_id, provider, &sealed));
    opened.transpose()
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, ring::error::Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key)?))
}

fn unsealable() -> AppError {
    AppError::internal(anyhow::anyhow!("a stored key cannot be encrypted or opened"))
}

fn place(workspace_id: WorkspaceId, provider: Provider) -> String {
    format!("provider key {workspace_id} {provider:?}")
}
