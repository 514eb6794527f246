//! Prompt templates.

use super::{Answer, get, list, patch, post};
use crate::address::word;
use cerebros_common::{
    templates::{Template, TemplateKind, TemplatePatch, TemplateRestore, TemplateTest, TemplateTrial, TemplateVersion},
    wire::{Page, PageQuery},
};

pub async fn find_template(kind: TemplateKind) -> Answer<Template> {
    get(&format!("/templates/{}", word(&kind))).await
}

pub async fn update_template(kind: TemplateKind, version: i64, body: TemplatePatch) -> Answer<Template> {
    patch(&format!("/templates/{}", word(&kind)), version, &body).await
}

pub async fn list_template_versions(kind: TemplateKind, query: PageQuery) -> Answer<Page<TemplateVersion>> {
    list(&format!("/templates/{}/versions", word(&kind)), &query).await
}

pub async fn restore_template(kind: TemplateKind, body: TemplateRestore) -> Answer<Template> {
    post(&format!("/templates/{}/restore", word(&kind)), &body).await
}

pub async fn test_template(kind: TemplateKind, body: TemplateTest) -> Answer<TemplateTrial> {
    post(&format!("/templates/{}/test", word(&kind)), &body).await
}
