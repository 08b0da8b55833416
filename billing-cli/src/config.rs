//! Addresses and credentials. Options override the environment, and the environment overrides the profile.

use std::env::VarError;
use std::path::PathBuf;

use billing_core::{BaseUrl, Credentials, Environment, InvalidInput, Region, Secret};

use crate::args::Options;
use crate::failure::Failure;
use crate::gateway::{Gateway, SettingSource, gateway, gateway_paths, proxy_url};
use crate::profile::Profile;

/// The settings of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) environment: Environment,
    pub(crate) credentials: Credentials,
    /// The URL of a proxy, which may contain a password. `None` uses `HTTPS_PROXY` and related variables.
    pub(crate) proxy: Option<Secret>,
    /// Warnings about settings that have no effect.
    pub(crate) warnings: Vec<String>,
    /// The origin of each setting, without secret values.
    pub(crate) setting_origins: Vec<String>,
}

/// Reads options, environment and profile.
pub(crate) fn connection(options: &Options) -> Result<Connection, Failure> {
    let file = std::env::home_dir()
        .filter(|home| !home.as_os_str().is_empty())
        .map(|home: PathBuf| home.join(".gc").join("config.toml"));
    let profile = Profile::read(file.as_deref(), options.profile.as_deref())?;
    resolve(options, &EnvVars(&|name| std::env::var(name)), profile.as_ref())
}

/// Validates the address options, for commands that send no request.
pub(crate) fn check_flags(options: &Options) -> Result<(), InvalidInput> {
    options.region.as_deref().map(str::parse::<Region>).transpose()?;
    options.api_url.as_deref().map(str::parse::<BaseUrl>).transpose()?;
    options.login_url.as_deref().map(str::parse::<BaseUrl>).transpose()?;
    Ok(())
}

/// The environment variables of the process, or a substitute in tests.
struct EnvVars<'a>(&'a dyn Fn(&str) -> Result<String, VarError>);

impl EnvVars<'_> {
    /// Returns the value of a variable, which may be a secret. An empty variable counts as unset.
    fn get(&self, name: &str) -> Result<Option<Secret>, Failure> {
        match (self.0)(name).map(Secret::new) {
            Ok(value) => Ok(Some(value.expose().trim()).filter(|value| !value.is_empty()).map(Secret::new)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(Failure::Usage(format!("{name} is not valid UTF-8: correct it or unset it")))
            }
        }
    }
}

fn resolve(
    options: &Options,
    variables: &EnvVars<'_>,
    profile: Option<&Profile>,
) -> Result<Connection, Failure> {
    let mut origins = Vec::new();
    let mut warnings = Vec::new();
    let gateway = find_gateway(variables, profile, &mut warnings)?;

    let region =
        first_setting(options.region.as_deref(), variables, REGION, profile.map(|p| (p, "environment")))?;
    let mut environment = match region {
        Some((name, origin)) => {
            let region: Region = name.parse().map_err(|error: InvalidInput| invalid(&error, &origin))?;
            origins.push(format!("region {} from {origin}", region.name()));
            Environment::from(region)
        }
        None => {
            origins.push("region us-east-1, the default".to_owned());
            Environment::default()
        }
    };
    if let Some((url, origin)) =
        base_url(options.api_url.as_deref(), variables, API_URL, gateway.as_ref().map(|g| &g.api))?
    {
        origins.push(format!("API at {url} from {origin}"));
        environment = environment.with_api(url);
    }
    let login_of_gateway = gateway.as_ref().map(|g| &g.login);
    if let Some((url, origin)) =
        base_url(options.login_url.as_deref(), variables, LOGIN_URL, login_of_gateway)?
    {
        origins.push(format!("login service at {url} from {origin}"));
        environment = environment.with_login(url);
    }

    let (credentials, origin) = find_credentials(variables, profile)?;
    if let (Some(profile), false) = (&options.profile, origin.starts_with("the profile")) {
        warnings.push(format!(
            "the credentials come from {origin}, not from the profile {profile:?}: the environment overrides the profile. Unset its variables to use the profile's credentials"
        ));
    }
    origins.push(format!("credentials from {origin}"));
    let proxy = find_proxy(variables, profile, &mut warnings)?;
    if proxy.is_some() {
        origins.push("using the configured proxy".to_owned());
    }
    Ok(Connection { environment, credentials, proxy, warnings, setting_origins: origins })
}

/// Returns the first value of option, environment and profile, with its name.
fn first_setting(
    flag: Option<&str>,
    variables: &EnvVars<'_>,
    (flag_name, variable): (&str, &str),
    profile: Option<(&Profile, &str)>,
) -> Result<Option<(String, String)>, Failure> {
    if let Some(value) = flag {
        return Ok(Some((value.to_owned(), flag_name.to_owned())));
    }
    if let Some(value) = variables.get(variable)? {
        return Ok(Some((value.expose().to_owned(), variable.to_owned())));
    }
    let Some((profile, key)) = profile else { return Ok(None) };
    let value = profile.get(key)?;
    Ok(value.map(|value| (value.expose().to_owned(), format!("the profile {:?}", profile.name))))
}

fn base_url(
    flag: Option<&str>,
    variables: &EnvVars<'_>,
    names: (&str, &str),
    gateway: Option<&String>,
) -> Result<Option<(BaseUrl, String)>, Failure> {
    let found = first_setting(flag, variables, names, None)?;
    let Some((url, origin)) = found.or_else(|| Some((gateway?.clone(), "the gateway's settings".to_owned())))
    else {
        return Ok(None);
    };
    let url = url.parse().map_err(|error: InvalidInput| invalid(&error, &origin))?;
    Ok(Some((url, origin)))
}

/// Returns the credentials of one origin. An access token has priority over an OAuth client. Half a client is
/// an error, because another origin could log in as somebody else.
fn find_credentials(
    variables: &EnvVars<'_>,
    profile: Option<&Profile>,
) -> Result<(Credentials, String), Failure> {
    let token = variables.get(ACCESS_TOKEN)?;
    let (id, secret) = (variables.get(CLIENT_ID)?, variables.get(CLIENT_SECRET)?);
    if let Some(made) = credentials_from(token, id, secret, (CLIENT_ID, CLIENT_SECRET), "the environment") {
        return Ok((made?, "the environment".to_owned()));
    }
    let Some(profile) = profile else {
        return Err(Failure::NotLoggedIn(format!("no credentials. {HOW_TO_LOG_IN}")));
    };
    let origin = format!("the profile {:?}", profile.name);
    let names = ("client_credentials", "client_secret");
    let (id, secret) = (profile.get(names.0)?, profile.get(names.1)?);
    let token = profile.get("access_token")?;
    if token.is_none()
        && secret.is_none()
        && matches!(profile.get("grant_type")?.as_ref().map(Secret::expose), Some("2" | "3"))
    {
        return Err(Failure::NotLoggedIn(format!(
            "{origin} logs in through a browser, which this program does not support. {HOW_TO_LOG_IN}"
        )));
    }
    match credentials_from(token, id, secret, names, &origin) {
        Some(made) => Ok((made?, origin)),
        None => Err(Failure::NotLoggedIn(format!(
            "no credentials in the environment or in {origin}. {HOW_TO_LOG_IN}"
        ))),
    }
}

fn credentials_from(
    token: Option<Secret>,
    id: Option<Secret>,
    secret: Option<Secret>,
    (id_name, secret_name): (&str, &str),
    origin: &str,
) -> Option<Result<Credentials, Failure>> {
    let half = |there: &str, missing: &str| {
        Some(Err(Failure::NotLoggedIn(format!(
            "{origin} sets {there} but not {missing}: set both or neither"
        ))))
    };
    let made = match (token, id, secret) {
        (Some(token), _, _) => Credentials::access_token(token),
        (None, Some(id), Some(secret)) => Credentials::client(id.expose(), secret),
        (None, Some(_), None) => return half(id_name, secret_name),
        (None, None, Some(_)) => return half(secret_name, id_name),
        (None, None, None) => return None,
    };
    Some(made.map_err(|error| Failure::NotLoggedIn(format!("{error}, in {origin}"))))
}

fn find_proxy(
    variables: &EnvVars<'_>,
    profile: Option<&Profile>,
    warnings: &mut Vec<String>,
) -> Result<Option<Secret>, Failure> {
    let name = |key: &str| terraform_name("GENESYSCLOUD_PROXY_", key);
    let found = proxy_url(&SettingSource { get: &|key| variables.get(&name(key)), full_name: &name })?;
    let (None, Some(profile)) = (&found, profile) else {
        return Ok(found);
    };
    if profile.name_value_pairs("proxy_pathparams", "pathname", "pathvalue") != Some(Vec::new()) {
        warnings.push("proxy_pathparams is not supported and is ignored: a proxy has no path".to_owned());
    }
    let name = |key: &str| format!("proxy_{key}");
    proxy_url(&SettingSource { get: &|key| Ok(profile.get(&name(key))?), full_name: &name })
}

fn find_gateway(
    variables: &EnvVars<'_>,
    profile: Option<&Profile>,
    warnings: &mut Vec<String>,
) -> Result<Option<Gateway>, Failure> {
    let name = |key: &str| terraform_name("GENESYSCLOUD_GATEWAY_", key);
    let text = |key: &str| -> Result<_, Failure> {
        Ok(variables.get(&name(key))?.map(|text| text.expose().to_owned()))
    };
    let path = (text("path_name")?, text("path_value")?);
    let keys = SettingSource { get: &|key| variables.get(&name(key)), full_name: &name };
    let mut found = gateway(&keys, Some(path.0.zip(path.1).into_iter().collect()))?;
    if let (None, Some(profile)) = (&found, profile) {
        let name = |key: &str| format!("gateway_{key}");
        let keys = SettingSource { get: &|key| Ok(profile.get(&name(key))?), full_name: &name };
        found = gateway(&keys, gateway_paths(profile))?;
    }
    if let Some(gateway) = &mut found {
        warnings.append(&mut gateway.warnings);
    }
    Ok(found)
}

/// Terraform puts `AUTH_` before the user name and the password.
fn terraform_name(prefix: &str, key: &str) -> String {
    let auth = if matches!(key, "username" | "password") { "AUTH_" } else { "" };
    format!("{prefix}{auth}{}", key.to_uppercase())
}

/// Returns the failure for an invalid value. Names its origin, because the value may not be on the command
/// line.
fn invalid(error: &InvalidInput, origin: &str) -> Failure {
    Failure::Usage(format!("{error} (from {origin})"))
}

const REGION: (&str, &str) = ("--region", "GENESYSCLOUD_REGION");
const API_URL: (&str, &str) = ("--api-url", "GENESYSCLOUD_API_URL");
const LOGIN_URL: (&str, &str) = ("--login-url", "GENESYSCLOUD_LOGIN_URL");
const ACCESS_TOKEN: &str = "GENESYSCLOUD_ACCESS_TOKEN";
const CLIENT_ID: &str = "GENESYSCLOUD_OAUTHCLIENT_ID";
const CLIENT_SECRET: &str = "GENESYSCLOUD_OAUTHCLIENT_SECRET";

const HOW_TO_LOG_IN: &str = "Set GENESYSCLOUD_ACCESS_TOKEN, or GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET, \
                    or add a profile to ~/.gc/config.toml (--profile). To try the program without an account, use --sandbox";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::CommandLine;
    use crate::profile::DEFAULT;

    fn with(line: &str, variables: &[(&str, &str)], profile: Option<&str>) -> Result<Connection, Failure> {
        let line = format!("x {line} regions");
        let options = CommandLine::try_parse_from(line.split_whitespace()).unwrap().options;
        let lookup = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        };
        let profile = profile.map(|text| {
            let text = format!("[{DEFAULT}]\n{text}");
            Profile::parse(&text, "file", None).unwrap().unwrap()
        });
        resolve(&options, &EnvVars(&lookup), profile.as_ref())
    }

    const TOKEN: (&str, &str) = (ACCESS_TOKEN, "tok");

    #[test]
    fn flag_then_environment_then_profile_then_default() {
        let profile = Some("environment = \"mypurecloud.de\"");
        let region = (REGION.1, "eu-west-1");
        let api = |line, variables: &[_], profile| {
            with(line, variables, profile).unwrap().environment.api().to_string()
        };
        assert_eq!(api("--region us-west-2", &[TOKEN, region], profile), "https://api.usw2.pure.cloud");
        assert_eq!(api("", &[TOKEN, region], profile), "https://api.mypurecloud.ie");
        assert_eq!(api("", &[TOKEN, (REGION.1, " ")], profile), "https://api.mypurecloud.de");
        assert_eq!(api("", &[TOKEN], None), "https://api.mypurecloud.com");
        let url = (API_URL.1, "https://gw.example.com/env");
        assert_eq!(
            api("--api-url https://gw.example.com/flag", &[TOKEN, url], None),
            "https://gw.example.com/flag"
        );
        assert_eq!(api("", &[TOKEN, url], None), "https://gw.example.com/env");
    }

    #[test]
    fn credentials_come_from_the_environment_then_the_profile() {
        let profile = Some("client_credentials = \"pid\"\nclient_secret = \"psecret\"");
        let shown = |variables: &[_], profile| {
            let connection = with("", variables, profile).unwrap();
            let text = format!("{connection:?}");
            assert!(!text.contains("secret\"") && !text.contains("tok"), "{text}");
            (format!("{:?}", connection.credentials), connection.setting_origins.last().unwrap().clone())
        };
        let client = [(CLIENT_ID, "eid"), (CLIENT_SECRET, "esecret")];
        assert!(shown(&client, profile).0.contains("eid"));
        assert!(shown(&[], profile).0.contains("pid"));
        assert_eq!(shown(&[], profile).1, "credentials from the profile \"DEFAULT\"");
        let (both, _) = shown(&[client[0], client[1], TOKEN], profile);
        assert!(!both.contains("eid"), "{both}");
    }

    #[test]
    fn without_credentials_the_ways_are_named() {
        for (profile, line) in [(None, ""), (Some("environment = \"eu-west-1\""), "")] {
            let failure = with(line, &[], profile).unwrap_err();
            assert_eq!(failure.exit_status(), 3);
            let text = failure.to_string();
            for way in [ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, "config.toml", "--sandbox"] {
                assert!(text.contains(way), "{text}");
            }
        }
        let browser = with("", &[], Some("grant_type = \"3\"\nclient_credentials = \"x\"")).unwrap_err();
        assert!(browser.to_string().contains("browser"));
    }

    #[test]
    fn half_a_client_is_an_error_even_beside_a_profile() {
        let profile = Some("access_token = \"other\"");
        let failure = with("", &[(CLIENT_ID, "id")], profile).unwrap_err();
        assert!(failure.to_string().contains(CLIENT_SECRET), "{failure}");
        assert_eq!(failure.exit_status(), 3);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let failure = with("", &[TOKEN, (REGION.1, "atlantis")], None).unwrap_err();
        assert_eq!(failure.exit_status(), 2);
        let text = failure.to_string();
        assert!(text.contains("atlantis") && text.contains(REGION.1), "{text}");
        let failure = with("--api-url http://api.example.com", &[TOKEN], None).unwrap_err();
        assert!(failure.to_string().contains("--api-url"), "{failure}");
    }

    #[test]
    fn a_profile_that_does_not_count_is_said() {
        let connection = with("--profile DEFAULT", &[TOKEN], Some("access_token = \"x\"")).unwrap();
        assert!(connection.warnings[0].contains("the environment overrides"), "{:?}", connection.warnings);
        assert!(with("--profile DEFAULT", &[], Some("access_token = \"x\"")).unwrap().warnings.is_empty());
    }

    #[test]
    fn proxies_and_gateways_of_profile_and_terraform() {
        let profile = "access_token = \"x\"\nproxy_host = \"p\"\nproxy_port = \"1\"\nproxy_pathparams = []\n\
                       gateway_host = \"gw\"\ngateway_username = \"u\"\n\
                       [[DEFAULT.gateway_pathparams]]\npathname = \"login\"\npathvalue = \"auth\"\n";
        let connection = with("", &[], Some(profile)).unwrap();
        assert_eq!(connection.proxy.unwrap().expose(), "http://p:1");
        assert_eq!(connection.environment.api().to_string(), "https://gw");
        assert_eq!(connection.environment.login().to_string(), "https://gw/auth");
        assert_eq!(connection.warnings.len(), 1, "{:?}", connection.warnings);
        let terraform = [
            TOKEN,
            ("GENESYSCLOUD_PROXY_HOST", "tp"),
            ("GENESYSCLOUD_PROXY_AUTH_USERNAME", "u"),
            ("GENESYSCLOUD_GATEWAY_HOST", "tgw"),
            ("GENESYSCLOUD_GATEWAY_PATH_NAME", "api"),
            ("GENESYSCLOUD_GATEWAY_PATH_VALUE", "p"),
        ];
        let connection = with("", &terraform, Some(profile)).unwrap();
        assert_eq!(connection.proxy.unwrap().expose(), "http://u@tp");
        assert_eq!(connection.environment.api().to_string(), "https://tgw/p");
        let flag = with("--api-url https://flag.example.com", &terraform, None).unwrap();
        assert_eq!(flag.environment.api().to_string(), "https://flag.example.com");
    }
}
