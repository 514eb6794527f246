//! Notifications, and which of them a person wants.

use super::{Answer, get, list, order, send};
use cerebros_common::{
    ids::NotificationId,
    notifications::{
        Notification, NotificationPreference, NotificationPreferencesPatch, NotificationQuery, UnreadCount,
    },
    wire::CursorPage,
};
use gloo_net::http::Method;

const PREFERENCES: &str = "/account/notification-preferences";

pub async fn list_notifications(query: NotificationQuery) -> Answer<CursorPage<Notification>> {
    list("/notifications", &query).await
}

pub async fn count_unread() -> Answer<UnreadCount> {
    get("/notifications/unread").await
}

pub async fn read_notification(id: NotificationId) -> Answer<Notification> {
    order(&format!("/notifications/{id}/read")).await
}

pub async fn read_all() -> Answer<UnreadCount> {
    order("/notifications/read-all").await
}

pub async fn list_preferences() -> Answer<Vec<NotificationPreference>> {
    get(PREFERENCES).await
}

pub async fn update_preferences(body: NotificationPreferencesPatch) -> Answer<Vec<NotificationPreference>> {
    send(Method::PATCH, PREFERENCES, None, &body).await
}
