//! Takes everything out of an SVG that could run, load or lead anywhere: what is not known to be harmless goes.

use quick_xml::{
    Reader, Writer, XmlVersion,
    events::{BytesEnd, BytesStart, BytesText, Event},
};

const ELEMENTS: &[&str] = &[
    "svg",
    "g",
    "defs",
    "marker",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "title",
    "desc",
    "style",
    "linearGradient",
    "radialGradient",
    "stop",
    "clipPath",
    "mask",
    "pattern",
    "symbol",
    "use",
    "filter",
    "feDropShadow",
    "feGaussianBlur",
    "feOffset",
    "feMerge",
    "feMergeNode",
    "feFlood",
    "feComposite",
    "feBlend",
    "feColorMatrix",
];
const MAX_DEPTH: usize = 200;

/// `None` for what is no SVG.
pub fn svg(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::new());
    let mut open: Vec<String> = Vec::new();
    // How many elements deep what is left out goes.
    let mut skipped = 0_usize;
    let mut style = String::new();
    let mut any = false;
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(start) => {
                let name = name_of(&start)?;
                if skipped > 0 || !is_allowed(&name, &open) {
                    skipped += 1;
                } else {
                    any = true;
                    writer.write_event(Event::Start(cleaned(&start, &name)?)).ok()?;
                    open.push(name);
                    style.clear();
                }
            }
            Event::Empty(start) => {
                let name = name_of(&start)?;
                if skipped == 0 && !open.is_empty() && is_allowed(&name, &open) {
                    writer.write_event(Event::Empty(cleaned(&start, &name)?)).ok()?;
                }
            }
            Event::End(_) if skipped > 0 => skipped -= 1,
            Event::End(_) => {
                let name = open.pop()?;
                if name == "style" && is_harmless_style(&style) {
                    writer.write_event(Event::Text(BytesText::new(&style))).ok()?;
                }
                writer.write_event(Event::End(BytesEnd::new(name))).ok()?;
            }
            _ if skipped > 0 => {}
            Event::Text(content) => {
                let content: &str = &content;
                put(&mut writer, &open, &mut style, content)?;
            }
            Event::CData(content) => {
                let content: &str = &content;
                put(&mut writer, &open, &mut style, content)?;
            }
            Event::GeneralRef(name) => {
                let resolved = match name.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => quick_xml::escape::resolve_predefined_entity(&name)
                        .unwrap_or_default()
                        .to_owned(),
                };
                put(&mut writer, &open, &mut style, &resolved)?;
            }
            // Declarations, document types with their entities, comments and instructions.
            _ => {}
        }
    }
    let whole = any && open.is_empty();
    whole.then(|| String::from_utf8(writer.into_inner()).ok()).flatten()
}

fn put(writer: &mut Writer<Vec<u8>>, open: &[String], style: &mut String, text: &str) -> Option<()> {
    match open.last().map(String::as_str) {
        None => Some(()),
        Some("style") => {
            style.push_str(text);
            Some(())
        }
        Some(_) => writer.write_event(Event::Text(BytesText::new(text))).ok(),
    }
}

fn name_of(start: &BytesStart<'_>) -> Option<String> {
    let name = start.name();
    let name: &str = name.as_ref();
    Some(name.to_owned())
}

fn is_allowed(name: &str, open: &[String]) -> bool {
    let known = ELEMENTS.contains(&name) && open.len() < MAX_DEPTH;
    // One picture, whose first element is its frame.
    known && (!open.is_empty() || name == "svg")
}

fn cleaned<'a>(start: &BytesStart<'_>, name: &str) -> Option<BytesStart<'a>> {
    let mut clean = BytesStart::new(name.to_owned());
    let mut size = None;
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let key: &str = attribute.key.as_ref();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        if name == "svg" && key == "viewBox" {
            size = size_of(&value);
        }
        let replaced = name == "svg" && matches!(key, "width" | "height");
        if !replaced && is_harmless(key, &value) {
            clean.push_attribute((key, value.as_ref()));
        }
    }
    if let Some((width, height)) = size {
        clean.push_attribute(("width", width.as_str()));
        clean.push_attribute(("height", height.as_str()));
    }
    Some(clean)
}

/// A picture has the size of what it shows, or an `<img>` would make one up.
fn size_of(view_box: &str) -> Option<(String, String)> {
    let numbers: Vec<f64> = view_box
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let [_, _, width, height] = numbers[..] else {
        return None;
    };
    let good = |n: f64| n.is_finite() && n > 0.0 && n < 100_000.0;
    (good(width) && good(height)).then(|| (format!("{:.0}", width.ceil()), format!("{:.0}", height.ceil())))
}

fn is_harmless(key: &str, value: &str) -> bool {
    let lower = key.to_lowercase();
    if lower.starts_with("on") || lower == "src" || lower == "xml:base" {
        return false;
    }
    if lower == "href" || lower == "xlink:href" {
        return value.starts_with('#');
    }
    if lower.starts_with("xmlns") {
        return matches!(value, "http://www.w3.org/2000/svg" | "http://www.w3.org/1999/xlink");
    }
    is_harmless_style(value)
}

/// No way to load or to run something: `url(` leads into the picture itself.
fn is_harmless_style(text: &str) -> bool {
    let plain: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let inside = plain
        .split("url(")
        .skip(1)
        .all(|rest| rest.trim_start_matches(['"', '\'']).starts_with('#'));
    // An escape could spell any of these another way.
    let spelled = ["@import", "javascript:", "expression(", "image-set(", "</", "<!", "\\"];
    inside && !spelled.iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test panics")]
    use super::svg;

    #[test]
    fn what_could_run_or_load_goes() {
        let hostile = r##"<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x "y">]>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10.2 20" width="100%" onload="alert(1)"><script>alert(1)</script>
<a href="javascript:alert(1)"><text>in a link</text></a><text onclick="alert(1)" style="fill:url(https://evil/x)">kept &lt;b&gt;</text>
<image href="https://evil/x.png"/><use href="https://evil/x#y"/><use href="#mark"/><foreignObject><iframe src="x"/></foreignObject>
<style>@import "https://evil/x.css";</style><style>.a{fill:url(#g)}</style><style>.b{fill:u\72l(x)}</style><animate onbegin="alert(1)"/>
<set attributeName="href" to="javascript:alert(1)"/></svg>"##;
        let clean = svg(hostile).unwrap();
        for word in [
            "script",
            "alert",
            "evil",
            "onload",
            "onclick",
            "image",
            "foreignObject",
            "iframe",
            "import",
            "animate",
            "ENTITY",
            "\\72",
        ] {
            assert!(!clean.contains(word), "{word} in {clean}");
        }
        for word in [
            "kept &lt;b&gt;",
            "#mark",
            ".a{fill:url(#g)}",
            "width=\"11\"",
            "height=\"20\"",
        ] {
            assert!(clean.contains(word), "{word} not in {clean}");
        }
    }

    #[test]
    fn what_is_no_picture_is_none() {
        assert_eq!(svg("<html><svg/></html>"), None);
        assert_eq!(svg("<svg><g></svg>"), None);
        assert_eq!(svg("words"), None);
        assert_eq!(svg(""), None);
    }
}
