//! What styles and numberings say of the paragraphs that use them.

use std::collections::HashMap;

use quick_xml::events::Event;

use super::{Limits, attribute, digit, walk};
use crate::extract::ExtractError;

/// Styles go back to others; a chain that is longer goes round.
const MAX_CHAIN: usize = 20;

#[derive(Default)]
pub(super) struct Styles(HashMap<String, Style>);

#[derive(Default)]
struct Style {
    heading: Option<usize>,
    list: Option<(String, usize)>,
    based_on: Option<String>,
}

impl Styles {
    /// 1 to 6.
    pub(super) fn heading(&self, id: &str) -> Option<usize> {
        self.chain(id).find_map(|style| style.heading)
    }

    /// Numbering id and level.
    pub(super) fn list(&self, id: &str) -> Option<(String, usize)> {
        let (number, level) = self.chain(id).find_map(|style| style.list.clone())?;
        (!number.is_empty() && number != "0").then_some((number, level))
    }

    fn chain<'s>(&'s self, id: &str) -> impl Iterator<Item = &'s Style> {
        let next = |style: &&'s Style| self.0.get(style.based_on.as_deref()?);
        std::iter::successors(self.0.get(id), next).take(MAX_CHAIN)
    }
}

pub(super) fn styles(xml: &str, limits: &Limits) -> Result<Styles, ExtractError> {
    let mut styles = Styles::default();
    let mut id = String::new();
    walk(xml, limits, |event| {
        let (Event::Start(start) | Event::Empty(start)) = event else {
            return Ok(());
        };
        let value = || attribute(&start, "val").unwrap_or_default();
        if start.local_name().as_ref() == "style" {
            id = attribute(&start, "styleId").unwrap_or_default();
            return Ok(());
        }
        let style = styles.0.entry(id.clone()).or_default();
        match start.local_name().as_ref() {
            "name" => {
                let name = value().to_lowercase();
                if name == "title" {
                    style.heading = Some(1);
                } else if let Some(level) = name.strip_prefix("heading ").and_then(digit) {
                    style.heading = Some(level);
                }
            }
            "basedOn" => style.based_on = Some(value()),
            "outlineLvl" => {
                if let Some(level) = digit(&value()).filter(|_| value() != "9") {
                    style.heading = style.heading.or(Some((level + 1).min(6)));
                }
            }
            "numId" => style.list = Some((value(), style.list.take().map_or(0, |(_, level)| level))),
            "ilvl" => {
                let number = style.list.take().map_or_else(String::new, |(number, _)| number);
                style.list = Some((number, digit(&value()).unwrap_or(0)));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(styles)
}

/// Whether the levels of numberings count (1., 2., 3.) instead of having bullets.
#[derive(Default)]
pub(super) struct Numbering {
    counts: HashMap<(String, usize), bool>,
    /// The definition of each numbering id.
    definitions: HashMap<String, String>,
}

impl Numbering {
    pub(super) fn counts(&self, id: &str, level: usize) -> bool {
        let Some(definition) = self.definitions.get(id) else {
            return false;
        };
        self.counts.get(&(definition.clone(), level)).copied().unwrap_or(false)
    }
}

pub(super) fn numbering(xml: &str, limits: &Limits) -> Result<Numbering, ExtractError> {
    let mut numbering = Numbering::default();
    let (mut definition, mut id, mut level) = (String::new(), String::new(), 0);
    walk(xml, limits, |event| {
        let (Event::Start(start) | Event::Empty(start)) = event else {
            return Ok(());
        };
        match start.local_name().as_ref() {
            "abstractNum" => definition = attribute(&start, "abstractNumId").unwrap_or_default(),
            "lvl" => level = attribute(&start, "ilvl").as_deref().and_then(digit).unwrap_or(0),
            "numFmt" => {
                let format = attribute(&start, "val").unwrap_or_default();
                let counts = !matches!(format.as_str(), "bullet" | "none");
                numbering.counts.entry((definition.clone(), level)).or_insert(counts);
            }
            "num" => id = attribute(&start, "numId").unwrap_or_default(),
            "abstractNumId" => {
                let of = attribute(&start, "val").unwrap_or_default();
                numbering.definitions.insert(id.clone(), of);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(numbering)
}
