//! Files of all kinds, good and hostile, made here.

use std::io::Write;

/// How a file must end.
#[derive(Debug, Clone, Copy)]
pub enum End {
    Ready,
    /// Taken, and not read, for this reason.
    Error(&'static str),
    /// Not taken.
    Refused,
}

pub struct CorpusFile {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub end: End,
    /// Stands in the text.
    pub holds: &'static str,
}

fn file(name: &'static str, bytes: impl Into<Vec<u8>>, end: End) -> CorpusFile {
    CorpusFile {
        name,
        bytes: bytes.into(),
        end,
        holds: "",
    }
}

fn holding(name: &'static str, bytes: impl Into<Vec<u8>>, holds: &'static str) -> CorpusFile {
    CorpusFile {
        holds,
        ..file(name, bytes, End::Ready)
    }
}

/// A PDF of these objects, numbered from 1; the first is the catalogue.
pub fn pdf(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(objects) {
        offsets.push(bytes.len());
        bytes.extend(format!("{number} 0 obj\n").bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let start = bytes.len();
    bytes.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        bytes.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    bytes.extend(format!("trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n").bytes());
    bytes
}

fn stream(content: &[u8], entries: &str) -> Vec<u8> {
    let mut object = format!("<< /Length {} {entries} >>\nstream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";

/// Pages with these content streams.
pub fn pages(contents: &[Vec<u8>], filter: &str, trailer: &str) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|at| format!("{} 0 R", 4 + at * 2)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!(
            "<< /Type /Pages /Kids [{}] /Count {} >>",
            kids.join(" "),
            contents.len()
        )
        .into_bytes(),
        FONT.as_bytes().to_vec(),
    ];
    for (at, content) in contents.iter().enumerate() {
        let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >>";
        objects.push(format!("{page} /Contents {} 0 R >>", 5 + at * 2).into_bytes());
        objects.push(stream(content, filter));
    }
    pdf(&objects, trailer)
}

fn prose_page(number: usize) -> Vec<u8> {
    let mut content = "BT /F 11 Tf 14 TL 72 760 Td".to_owned();
    for line in 0..40 {
        content.push_str(&format!(
            " (Page {number}, line {line}: some words that fill it up to its end.) Tj T*"
        ));
    }
    content.push_str(" ET");
    content.into_bytes()
}

/// A tree of pages, one below the other.
fn deep_tree(depth: usize) -> Vec<u8> {
    let mut objects = vec![b"<< /Type /Catalog /Pages 2 0 R >>".to_vec()];
    for number in 2..2 + depth {
        let parent = if number > 2 {
            format!("/Parent {} 0 R", number - 1)
        } else {
            String::new()
        };
        objects.push(format!("<< /Type /Pages {parent} /Kids [{} 0 R] /Count 1 >>", number + 1).into_bytes());
    }
    let (parent, contents) = (1 + depth, 3 + depth);
    let page = format!("<< /Type /Page /Parent {parent} 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R");
    objects.push(format!("{page} /Resources << /Font << /F {FONT} >> >> >>").into_bytes());
    objects.push(stream(b"BT /F 12 Tf 72 700 Td (Found at the bottom) Tj ET", ""));
    pdf(&objects, "")
}

fn deep_array(depth: usize) -> Vec<u8> {
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = [
        format!("<< /Type /Catalog /Pages 2 0 R /Deep {nested} >>").into_bytes(),
        b"<< /Type /Pages /Kids [] /Count 0 >>".to_vec(),
    ];
    pdf(&objects, "")
}

/// What `/FlateDecode` reads: stored nowhere else, so made with the ZIP writer's deflate and a head of its own.
fn deflated(content: &[u8]) -> Vec<u8> {
    let archive = zip(&[("x", content)]);
    let name = usize::from(u16::from_le_bytes([archive[26], archive[27]]));
    let extra = usize::from(u16::from_le_bytes([archive[28], archive[29]]));
    let start = 30 + name + extra;
    let end = archive.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let mut adler = (1_u32, 0_u32);
    for byte in content {
        adler.0 = (adler.0 + u32::from(*byte)) % 65_521;
        adler.1 = (adler.1 + adler.0) % 65_521;
    }
    let mut bytes = vec![0x78, 0x9c];
    bytes.extend(&archive[start..end]);
    bytes.extend((adler.1 << 16 | adler.0).to_be_bytes());
    bytes
}

pub fn zip(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in parts {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    let document = format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", document.as_bytes()),
    ])
}

fn table(rows: usize) -> String {
    let mut csv = "id;name;city;amount\n".to_owned();
    for row in 0..rows {
        csv.push_str(&format!("{row};Person {row};City {};{}.50\n", row % 97, row % 1000));
    }
    csv
}

fn nested_json(depth: usize) -> String {
    format!(
        "{}\"the innermost value\"{}",
        "{\"a\":".repeat(depth),
        "}".repeat(depth)
    )
}

const TRACKED: &str = "<w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>Terms</w:t></w:r></w:p>\
    <w:p><w:r><w:t xml:space=\"preserve\">The deadline is </w:t></w:r>\
    <w:del w:id=\"1\"><w:r><w:delText>ten</w:delText></w:r></w:del>\
    <w:ins w:id=\"2\"><w:r><w:t>twenty</w:t></w:r></w:ins><w:r><w:t xml:space=\"preserve\"> days.</w:t></w:r></w:p>";

const MARKDOWN: &str = "# Setup\n\n1. Install it\n2. Start it\n\n| port | use |\n|------|-----|\n| 8420 | web |\n\n\
    ```sh\nmake run\n```\n";

/// Some thirty files; `size` 1 makes small ones, 10 those that a person may have.
pub fn all(size: usize) -> Vec<CorpusFile> {
    let password = format!(
        "/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{0}> /U <{0}> >>",
        "0".repeat(64)
    );
    let long: Vec<Vec<u8>> = (1..=50 * size).map(prose_page).collect();
    let blank = vec![b' '; (8 * size) << 20];
    let utf_16: Vec<u8> = "旅費規程\n出張は事前に申請してください。\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let shift_jis = b"\x97\xb7\x94\xef\x8bK\x92\xf6\n\x8fo\x92\xa3\x82\xcd\x8e\x96\x91O\x82\xc9\x90\\\x90\xbf\x82\xb5\x82\xc4\x82\xad\x82\xbe\x82\xb3\x82\xa2\x81B\n";
    let cyrillic = b"\xcf\xf0\xe0\xe2\xe8\xeb\xe0 \xef\xf0\xee\xe5\xe7\xe4\xe0\n\xc1\xe8\xeb\xe5\xf2 \xe4\xe5\xe9\xf1\xf2\xe2\xf3\xe5\xf2 \xe4\xe2\xe0 \xf7\xe0\xf1\xe0.\n";
    let entities = "<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;&x;\">]><a>&y;</a>";
    let policy = crate::helpers::fixture("remote-work-policy.pdf");
    vec![
        holding("policy.pdf", policy.clone(), "# Remote Work Policy"),
        holding(
            "handbook.docx",
            crate::helpers::fixture("project-handbook.docx"),
            "## Communication",
        ),
        holding(
            "old letter.doc",
            crate::helpers::fixture("travel-rules.doc"),
            "1. First step",
        ),
        file(
            "scanned.pdf",
            pages(&[b"0 0 100 100 re f".to_vec()], "", ""),
            End::Error("pdf_scanned"),
        ),
        file(
            "secret.pdf",
            pages(&[prose_page(1)], "", &password),
            End::Error("pdf_encrypted"),
        ),
        holding("long.pdf", pages(&long, "", ""), "Page 50, line 39"),
        holding("deep tree.pdf", deep_tree(10_000), "Found at the bottom"),
        file("deep array.pdf", deep_array(10_000), End::Error("pdf_damaged")),
        file(
            "bomb.pdf",
            pages(&[deflated(&blank)], "/Filter /FlateDecode", ""),
            End::Error("pdf_scanned"),
        ),
        file("half.pdf", &policy[..policy.len() / 2], End::Error("pdf_damaged")),
        file("nothing.pdf", "%PDF-1.7 and nothing else", End::Error("pdf_damaged")),
        holding("kitei.txt", shift_jis, "出張は事前に申請してください。"),
        holding("kitei wide.txt", utf_16, "出張は事前に申請してください。"),
        holding("pravila.txt", cyrillic, "Билет действует два часа."),
        holding(
            "people.csv",
            table(20_000 * size),
            "name: Person 19\ncity: City 19\namount: 19.50",
        ),
        holding("excel.csv", "\u{feff}Name;Preis\nÖl;1,50\n", "Name: Öl\nPreis: 1,50"),
        holding("nested.json", nested_json(99), "the innermost value"),
        file("too deep.json", nested_json(100_000), End::Error("nested_too_deep")),
        file("broken.json", "{\"a\": [1, 2", End::Error("json_invalid")),
        holding(
            "orders.xml",
            "<orders><order id='7'><city>Bonn</city></order></orders>",
            "city: Bonn",
        ),
        file("bomb.xml", entities, End::Error("xml_entities")),
        file("deep.xml", "<a>".repeat(50_000), End::Error("nested_too_deep")),
        holding("setup.md", MARKDOWN, "| 8420 | web |"),
        holding("tracked.docx", docx(TRACKED), "The deadline is twenty days."),
        file(
            "bomb.docx",
            docx(&" ".repeat((16 * size) << 20)),
            End::Error("expands_too_much"),
        ),
        file("broken.docx", docx("<w:p><w:r>"), End::Error("docx_damaged")),
        file("half.docx", &docx(TRACKED)[..200], End::Refused),
        file(
            "program.pdf",
            [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 500]].concat(),
            End::Refused,
        ),
        file(
            "program.docx",
            [b"MZ\x90\0\x03".as_slice(), &[0; 500]].concat(),
            End::Refused,
        ),
        file("many.zip", zip(&[("a.txt", b"a"), ("b.txt", b"b")]), End::Refused),
        file(
            "picture.txt",
            [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 100]].concat(),
            End::Refused,
        ),
        file(
            "noise.csv",
            (0..4_000_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                .collect::<Vec<_>>(),
            End::Refused,
        ),
        file("letter.rtf", "{\\rtf1 Hello}", End::Refused),
        file("page.html", "<!doctype html><p>Hello", End::Refused),
        file("empty.txt", " \n", End::Refused),
    ]
}
