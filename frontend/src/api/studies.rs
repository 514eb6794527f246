//! Documents as the studio sees them.

use super::{Answer, list};
use cerebros_common::{
    studies::{Study, StudyQuery},
    wire::Page,
};

pub async fn list_studies(query: StudyQuery) -> Answer<Page<Study>> {
    list("/studies", &query).await
}
