//! The dashboard's numbers.

use super::{Answer, list};
use cerebros_common::dashboard::{Dashboard, DashboardQuery};

pub async fn find_dashboard(query: DashboardQuery) -> Answer<Dashboard> {
    list("/dashboard", &query).await
}
