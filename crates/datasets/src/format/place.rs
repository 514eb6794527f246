//! Where the messages of a converted row stand in the row as it came, so that a finding points to what a person sees.

/// The place of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A whole message in the list under a member, such as `/prompt/0`.
    Item(&'static str, usize),
    /// A turn of `/conversations`, with `from` and `value`.
    Turn(usize),
    /// The text of a member, such as `/instruction`.
    Member(&'static str),
    /// One side of an earlier turn, such as `/history/0/1`.
    History(usize, usize),
}

impl Place {
    /// The pointer to a part of the message: empty for itself, else such as `/content`.
    pub(crate) fn pointer(self, part: &str) -> String {
        match self {
            Self::Item(list, index) => format!("{list}/{index}{part}"),
            Self::Turn(index) => match part {
                "" => format!("/conversations/{index}"),
                "/role" => format!("/conversations/{index}/from"),
                "/content" => format!("/conversations/{index}/value"),
                part if part.starts_with("/tool_call") => format!("/conversations/{index}/value"),
                part => format!("/conversations/{index}{part}"),
            },
            Self::Member(member) => member.to_owned(),
            Self::History(turn, side) => format!("/history/{turn}/{side}"),
        }
    }
}

/// What `field`, a pointer into a conversation of messages at these places, is in the row as it came.
pub(crate) fn located(field: &str, places: &[Place], whole: &str) -> String {
    let Some(rest) = field.strip_prefix("/messages") else {
        return field.to_owned();
    };
    let end = rest
        .get(1..)
        .and_then(|rest| rest.find('/'))
        .map_or(rest.len(), |at| at + 1);
    let place = rest
        .get(1..end)
        .and_then(|index| index.parse::<usize>().ok())
        .and_then(|index| places.get(index));
    match place {
        Some(place) => place.pointer(&rest[end..]),
        None => whole.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_to_the_row_as_it_came() {
        let places = [
            Place::Member("/system"),
            Place::Turn(0),
            Place::Item("/chosen", 2),
            Place::History(1, 0),
        ];
        for (field, expected) in [
            ("/messages/0/content", "/system"),
            ("/messages/1", "/conversations/0"),
            ("/messages/1/role", "/conversations/0/from"),
            ("/messages/1/content", "/conversations/0/value"),
            ("/messages/1/tool_calls/0/function/arguments", "/conversations/0/value"),
            ("/messages/1/weight", "/conversations/0/weight"),
            ("/messages/2/tool_calls/0", "/chosen/2/tool_calls/0"),
            ("/messages/3/content", "/history/1/0"),
            ("/messages", "/conversations"),
            ("/tools", "/tools"),
            ("", ""),
        ] {
            assert_eq!(located(field, &places, "/conversations"), expected);
        }
    }
}
