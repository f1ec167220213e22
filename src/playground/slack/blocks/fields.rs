//! Which fields Slack's reference gives each block and element, and where each element may stand. Slack refuses any
//! other field as an `invalid additional property`.

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Among the `elements` of an `actions` block.
    Actions,
    /// Beside the text of a section.
    Accessory,
    /// In an `input` block.
    Input,
}

/// Fields of each block beside `type` and `block_id`.
const BLOCKS: &[(&str, &[&str])] = &[
    ("section", &["text", "fields", "accessory", "expand"]),
    ("header", &["text", "level"]),
    ("divider", &[]),
    ("context", &["elements"]),
    ("actions", &["elements"]),
    ("input", &["label", "hint", "element", "optional", "dispatch_action"]),
    ("markdown", &["text"]),
    ("rich_text", &["elements"]),
    ("table", &["rows", "column_settings"]),
    ("data_visualization", &["title", "chart"]),
    ("image", &["image_url", "slack_file", "alt_text", "title"]),
];

const ANYWHERE: &[Spot] = &[Spot::Actions, Spot::Accessory, Spot::Input];
const NOT_IN_INPUT: &[Spot] = &[Spot::Actions, Spot::Accessory];
const NOT_IN_ACTIONS: &[Spot] = &[Spot::Accessory, Spot::Input];
const INPUT: &[Spot] = &[Spot::Input];

/// Places and fields of each element beside `type`, `action_id`, `confirm` and `focus_on_load`.
const ELEMENTS: &[(&str, &[Spot], &[&str])] = &[
    ("button", NOT_IN_INPUT, &["text", "url", "value", "style", "accessibility_label"]),
    ("overflow", NOT_IN_INPUT, &["options"]),
    ("static_select", ANYWHERE, &["placeholder", "options", "option_groups", "initial_option"]),
    (
        "multi_static_select",
        NOT_IN_ACTIONS,
        &["placeholder", "options", "option_groups", "initial_options", "max_selected_items"],
    ),
    ("external_select", ANYWHERE, &["placeholder", "initial_option", "min_query_length"]),
    (
        "multi_external_select",
        NOT_IN_ACTIONS,
        &["placeholder", "initial_options", "min_query_length", "max_selected_items"],
    ),
    ("users_select", ANYWHERE, &["placeholder", "initial_user"]),
    ("multi_users_select", NOT_IN_ACTIONS, &["placeholder", "initial_users", "max_selected_items"]),
    (
        "conversations_select",
        ANYWHERE,
        &["placeholder", "initial_conversation", "default_to_current_conversation", "response_url_enabled", "filter"],
    ),
    ("channels_select", ANYWHERE, &["placeholder", "initial_channel", "response_url_enabled"]),
    ("radio_buttons", ANYWHERE, &["options", "initial_option"]),
    ("checkboxes", ANYWHERE, &["options", "initial_options"]),
    ("datepicker", ANYWHERE, &["placeholder", "initial_date"]),
    ("timepicker", ANYWHERE, &["placeholder", "initial_time", "timezone"]),
    (
        "plain_text_input",
        INPUT,
        &["placeholder", "initial_value", "multiline", "min_length", "max_length", "dispatch_action_config"],
    ),
    ("email_text_input", INPUT, &["placeholder", "initial_value", "dispatch_action_config"]),
    ("url_text_input", INPUT, &["placeholder", "initial_value", "dispatch_action_config"]),
    (
        "number_input",
        INPUT,
        &["placeholder", "is_decimal_allowed", "initial_value", "min_value", "max_value", "dispatch_action_config"],
    ),
];

/// The fields of this kind of block, or `None` if there is no such kind.
pub fn of_block(kind: &str) -> Option<&'static [&'static str]> {
    BLOCKS.iter().find(|(name, _)| *name == kind).map(|(_, fields)| *fields)
}

/// The fields of this kind of element where it may stand at `spot`.
pub fn of_element(kind: &str, spot: Spot) -> Option<&'static [&'static str]> {
    ELEMENTS.iter().find(|(name, spots, _)| *name == kind && spots.contains(&spot)).map(|(_, _, fields)| *fields)
}
