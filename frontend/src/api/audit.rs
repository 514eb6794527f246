//! The audit log.

use super::{Answer, list};
use cerebros_common::{
    audit::{AuditEntry, AuditQuery},
    wire::CursorPage,
};

pub async fn list_audit(query: AuditQuery) -> Answer<CursorPage<AuditEntry>> {
    list("/audit", &query).await
}
