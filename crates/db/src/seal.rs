//! What was encrypted.

/// With the id of the secret that the key came from. Hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    pub nonce: String,
    pub ciphertext: String,
}
