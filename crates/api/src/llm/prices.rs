//! What models cost: what the workspace says, else what was shipped.

use crate::{error::AppResult, state::App};
use cerebros_common::{
    llm_settings::LlmProvider,
    prices::{CURRENCY, Price, Prices},
};
use cerebros_db::{self as db, Scope};
use chrono::NaiveDate;

/// In US dollars for a million tokens of prompt and of answer, in thousandths.
const SHIPPED: &[(LlmProvider, &str, i64, i64)] = &[
    (LlmProvider::Anthropic, "claude-opus-4", 15_000, 75_000),
    (LlmProvider::Anthropic, "claude-opus-4-1", 15_000, 75_000),
    (LlmProvider::Anthropic, "claude-opus-4-5", 5_000, 25_000),
    (LlmProvider::Anthropic, "claude-opus-4-6", 5_000, 25_000),
    (LlmProvider::Anthropic, "claude-sonnet-4", 3_000, 15_000),
    (LlmProvider::Anthropic, "claude-sonnet-4-5", 3_000, 15_000),
    (LlmProvider::Anthropic, "claude-sonnet-4-6", 3_000, 15_000),
    (LlmProvider::Openai, "gpt-5", 1_250, 10_000),
    (LlmProvider::Openai, "gpt-5.1", 1_250, 10_000),
    (LlmProvider::Openai, "gpt-5.2", 1_750, 14_000),
    (LlmProvider::Openai, "gpt-5.2-pro", 21_000, 168_000),
];

const SOURCE: &str =
    "List prices of developers.openai.com/api/docs/pricing and platform.claude.com/docs/en/about-claude/pricing";

fn as_of() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 2, 23).unwrap_or_default()
}

/// All prices: the workspace's own, and the shipped ones that they do not replace.
pub async fn list(app: &App, scope: &Scope) -> AppResult<Prices> {
    let mut items = db::prices::list(scope, &app.db).await?;
    for price in shipped() {
        let replaced = |own: &Price| (own.provider, &own.model) == (price.provider, &price.model);
        if !items.iter().any(replaced) {
            items.push(price);
        }
    }
    items.sort_by(|a, b| (a.provider as u8, &a.model).cmp(&(b.provider as u8, &b.model)));
    Ok(Prices {
        items,
        currency: CURRENCY.to_owned(),
        source: SOURCE.to_owned(),
        as_of: as_of(),
    })
}

/// The price of a model. Shipped prices are those of the provider's own address.
pub async fn of(
    app: &App,
    scope: &Scope,
    provider: LlmProvider,
    own_address: bool,
    model: &str,
) -> AppResult<Option<Price>> {
    let own = db::prices::list(scope, &app.db).await?;
    let own = own.into_iter().filter(|price| price.provider == provider);
    if let Some(price) = best(own, model) {
        return Ok(Some(price));
    }
    if own_address {
        return Ok(None);
    }
    Ok(best(shipped().filter(|price| price.provider == provider), model))
}

/// That of the model itself, else that of the model of which it is a dated version.
fn best(prices: impl Iterator<Item = Price>, model: &str) -> Option<Price> {
    let fits = |price: &Price| {
        model.strip_prefix(price.model.as_str()).is_some_and(|rest| {
            rest.is_empty()
                || rest == "-latest"
                || (rest.len() >= 9 && rest.chars().all(|c| c.is_ascii_digit() || c == '-'))
        })
    };
    prices.filter(fits).max_by_key(|price| price.model.len())
}

fn shipped() -> impl Iterator<Item = Price> {
    SHIPPED.iter().map(|(provider, model, prompt, completion)| Price {
        provider: *provider,
        model: (*model).to_owned(),
        prompt_micros: prompt * 1_000,
        completion_micros: completion * 1_000,
        own: false,
    })
}
