//! Numbers, sizes and times as a person reads them.

use chrono::{DateTime, Local, Utc};

/// `1,234,567`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 example`, `2 examples`
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `50.0 MB`, in powers of 1,000 as disks are sold.
pub fn size(bytes: u64) -> String {
    if bytes == 1 {
        return "1 byte".to_owned();
    }
    scaled(bytes, &[" bytes", " KB", " MB", " GB", " TB"])
}

/// `135.2 M`
pub fn quantity(number: u64) -> String {
    scaled(number, &["", " K", " M", " B"])
}

fn scaled(number: u64, units: &[&str]) -> String {
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number}{}", units[0])
    } else {
        format!("{value:.1}{}", units[unit])
    }
}

/// Millionths of a US dollar: `$12.34`, `$0.0042`.
pub fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let fraction = format!("{:06}", micros % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    format!("{sign}${}.{fraction:0<2}", count(micros / 1_000_000))
}

/// What [`dollars`] and people write, in millionths.
pub fn parse_dollars(text: &str) -> Option<i64> {
    let text = text.trim().trim_start_matches('$').replace(',', "");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
}

/// Four significant digits: `2.4817`, `0.0312`.
pub fn loss(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.4}")
    }
}

/// `98.2 %`
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent.fract().abs() < 0.05 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// `850 ms`, `2.4 s`
pub fn milliseconds(value: f64) -> String {
    if value < 1000.0 {
        format!("{value:.0} ms")
    } else {
        format!("{:.1} s", value / 1000.0)
    }
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `4 Mar 2031`, where the reader is.
pub fn day(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%-d %b %Y").to_string()
}

/// `5 minutes ago`
pub fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - then).num_seconds().max(0);
    let (number, unit) = match seconds {
        0..45 => return "just now".to_owned(),
        45..3570 => ((seconds + 30) / 60, "minute"),
        3570..86_400 => ((seconds + 1800) / 3600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn numbers() {
        assert_eq!(
            [count(0), count(999), count(1000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [size(999), size(1000), size(999_960), size(50_000_000)],
            ["999 bytes", "1.0 KB", "1.0 MB", "50.0 MB"]
        );
        assert_eq!(
            [percent(1.0), percent(0.9824), percent(0.0)],
            ["100 %", "98.2 %", "0 %"]
        );
        assert_eq!([loss(2.48174), loss(123.456)], ["2.4817", "123.5"]);
        assert_eq!(
            [dollars(0), dollars(4200), dollars(12_300_000)],
            ["$0.00", "$0.0042", "$12.30"]
        );
    }

    #[test]
    fn money() {
        let written = [0, 4_200, 150_000, 12_340_000, 1_234_000_000_000].map(dollars);
        assert_eq!(written, ["$0.00", "$0.0042", "$0.15", "$12.34", "$1,234,000.00"]);
        let read = ["0.15", "$1,234.5", ".5", "7", "", "-1", "1.2.3", "0.0000001"].map(parse_dollars);
        let whole = 1_234_500_000;
        assert_eq!(
            read,
            [
                Some(150_000),
                Some(whole),
                Some(500_000),
                Some(7_000_000),
                None,
                None,
                None,
                None
            ]
        );
    }

    #[test]
    fn times() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1000);
        let past = |seconds| ago(now - TimeDelta::seconds(seconds), now);
        assert_eq!(
            [past(-5), past(50), past(3599), past(90_000)],
            ["just now", "1 minute ago", "1 hour ago", "1 day ago"]
        );
        assert_eq!(
            [duration(59.4), duration(200.0), duration(7500.0)],
            ["59 s", "3 min 20 s", "2 h 5 min"]
        );
    }
}
