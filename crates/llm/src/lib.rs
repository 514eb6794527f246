//! Wire clients of language model providers.
