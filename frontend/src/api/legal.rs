//! Texts that the operator of a server can replace.

use super::{Answer, get};
use crate::address::word;
use cerebros_common::legal::{LegalPage, LegalText};

pub async fn find_legal(page: LegalPage) -> Answer<LegalText> {
    get(&format!("/legal/{}", word(&page))).await
}
