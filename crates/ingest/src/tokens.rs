//! How long a text is for a language model.

/// Tokens of `text` in OpenAI's encoding `o200k_base`. Other models count somewhat differently.
pub fn tokens(text: &str) -> usize {
    bpe_openai::o200k_base().count(text)
}
