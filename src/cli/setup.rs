//! From muster.toml to what the bot is made of.

#[cfg(feature = "discord")]
use crate::adapters::discord;
use crate::adapters::{aws, slack};
use crate::app::Setup;
use crate::config::Config;
use crate::rules;

/// What `config` asks for.
///
/// # Errors
/// A sentence if a part that the bot cannot do without is missing.
pub fn from_config(config: Config) -> Result<Setup, String> {
    let aws = aws_settings(&config);
    let slack = slack_settings(&config);
    let command = config.command().to_owned();
    if config.slack.is_none() && config.discord.is_none() {
        return Err(
            "the configuration has neither `[slack]` nor `[discord]`, so there is nobody to listen to; add one of \
                    them with its tokens"
                .into(),
        );
    }
    #[cfg(feature = "discord")]
    let discord = discord_settings(&config);
    #[cfg(not(feature = "discord"))]
    if config.discord.is_some() {
        return Err("this build leaves out Discord; take `[discord]` out or build it with the feature `discord`".into());
    }
    let Config { paths, store, metrics, aws: shared, .. } = config;
    Ok(Setup {
        command,
        slack,
        #[cfg(feature = "discord")]
        discord,
        aws,
        store: paths.store,
        rules: rules::Source::Folders { runbooks: paths.runbooks, policies: paths.policies },
        reads_per_second: shared.reads_per_second,
        metrics,
        keep_outputs: store.keep_outputs,
    })
}

/// The Slack part alone; `None` where there is none.
#[must_use]
pub fn slack_settings(config: &Config) -> Option<slack::Settings> {
    let slack = config.slack.clone()?;
    Some(slack::Settings {
        command: slack.command,
        api_url: slack.api_url,
        app_token: slack.app_token,
        bot_token: slack.bot_token,
    })
}

/// The Discord part alone; `None` where there is none.
#[cfg(feature = "discord")]
#[must_use]
pub fn discord_settings(config: &Config) -> Option<discord::Settings> {
    let discord = config.discord.clone()?;
    Some(discord::Settings {
        application_id: discord.application_id,
        bot_token: discord.bot_token,
        command: discord.command.trim_start_matches('/').to_owned(),
        api_url: discord.api_url,
    })
}

/// The AWS part alone, for commands that send nothing.
#[must_use]
pub fn aws_settings(config: &Config) -> aws::Settings {
    let aws = &config.aws;
    aws::Settings {
        endpoint_url: aws.endpoint_url.clone(),
        central_role: aws.central_role.clone(),
        request_expiry: aws.request_expiry,
        boundary_tag: aws.boundary_tag.clone(),
        accounts: config
            .accounts
            .iter()
            .map(|a| aws::AccountSettings {
                account: a.account.clone(),
                role: a.role.clone(),
                external_id: a.external_id.clone(),
                outputs: a.outputs.clone(),
            })
            .collect(),
        organization: config.organizations.as_ref().map(|o| aws::Organization {
            role: o.role.clone(),
            external_id: o.external_id.clone(),
            regions: o.regions.clone(),
            exclude: o.exclude.iter().cloned().collect(),
        }),
        ..aws::Settings::new(aws.region.clone())
    }
}
