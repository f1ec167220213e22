//! Secrets are made at run time, so that no scanner takes this file for a leak.

use proptest::prelude::*;

use super::*;

#[test]
fn marks_of_two_runs_read_the_same_without_their_suffixes() {
    let of = |key: &[u8]| Redactor::new(key).redact("a\nDB_PASSWORD=hunter2hunter2").text;
    assert_ne!(of(b"one"), of(b"other"));
    assert_eq!([untagged(&of(b"one")), untagged(&of(b"other"))], ["a\nDB_PASSWORD=‹secret:password›"; 2]);
    let text = of(b"one") + &of(b"one");
    let found: Vec<_> = marks(&text).collect();
    assert!(found.len() == 2 && found[0] == found[1] && found[0].0 == "password", "{found:?}");
    assert!(found[0].1.starts_with("‹secret:password#") && found[0].1.ends_with('›'), "{found:?}");
}

#[test]
fn every_rule_can_be_made() {
    RULES.iter().chain(CURL_GOES_ON.iter()).for_each(|rule| assert!(!rule.kind.is_empty()));
}

fn redactor() -> Redactor {
    Redactor::new(b"key of a test")
}
fn redact(text: &str) -> String {
    redactor().redact(text).text
}
/// A small generator, so that every run plants the same secrets.
struct Seeded(u64);
impl Seeded {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }
    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let chars: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| chars[self.next(chars.len())]).collect()
    }
}

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Texts in which `{}` stands for the secret, by the alphabet and length that such a secret has.
fn plants() -> Vec<(&'static str, String, Vec<String>)> {
    let mut seeded = Seeded(7);
    let mut out = Vec::new();
    let mut plant = |kind: &'static str, prefix: &str, alphabet: &str, length: usize, shapes: &[&str]| {
        for shape in shapes {
            // Digits and letters are forced, as any real one of this length has them.
            let secrets = (0..20).map(|_| format!("{prefix}{}a7", seeded.text(alphabet, length - 2)));
            out.push((kind, (*shape).to_owned(), secrets.collect()));
        }
    };
    let anywhere = ["{}", "got {} from host", "\"{}\"", "x={}", "a,{},b", "<{}>", "https://h/p?k={}&x=1"];
    plant("gcp-key", concat!("AI", "za"), URL64, 35, &anywhere);
    plant("gcp-token", concat!("ya", "29."), URL64, 60, &anywhere);
    plant("slack-token", concat!("xo", "xb-"), "0123456789-abcdef", 40, &anywhere);
    plant("slack-token", concat!("xa", "pp-1-"), "0123456789-abcdef", 40, &anywhere);
    plant(
        "slack-webhook",
        "",
        ALNUM,
        40,
        &["https://hooks.slack.com/services/T01/B02/{}", "POST https://hooks.slack.com/services/{} 200"],
    );
    plant("discord-webhook", "", URL64, 68, &["https://discord.com/api/webhooks/123456789012345678/{}"]);
    plant("forge-token", concat!("gh", "p_"), ALNUM, 36, &anywhere);
    plant("forge-token", concat!("gh", "o_"), ALNUM, 36, &anywhere);
    plant("forge-token", concat!("github", "_pat_"), ALNUM, 80, &anywhere);
    plant("forge-token", concat!("gl", "pat-"), ALNUM, 20, &anywhere);
    plant("api-key", concat!("sk", "_live_"), ALNUM, 24, &anywhere);
    plant("api-key", concat!("npm", "_"), ALNUM, 36, &anywhere);
    plant(
        "azure-key",
        "",
        BASE64,
        86,
        &[
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==;EndpointSuffix=core.windows.net",
            "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey={}=",
        ],
    );
    // Some start with a sign, before which no word begins.
    plant("azure-key", concat!("~Ab7", "Q~"), URL64, 34, &["<value>{}</value>", "x: {}", "{}"]);
    plant(
        "authorization",
        "",
        BASE64,
        40,
        &["\t\t\"h.example\": {\n\t\t\t\"auth\": \"{}=\"\n\t\t}", "{\"auth\":\"{}\"}"],
    );
    plant(
        "aws-secret-key",
        "",
        BASE64,
        40,
        &[
            "aws_secret_access_key = {}",
            "AWS_SECRET_ACCESS_KEY={}",
            "export AWS_SECRET_ACCESS_KEY='{}'",
            "  \"SecretAccessKey\" : \"{}\",",
            "aws configure set aws_secret_access_key {}",
            "secretAccessKey: {}",
        ],
    );
    plant("password", "", BASE64, 120, &["  \"Token\" : \"{}\",", "AWS_SESSION_TOKEN={}", "aws_session_token = {}"]);
    plant(
        "authorization",
        "",
        URL64,
        40,
        &[
            "Authorization: Bearer {}",
            "> authorization: Basic {}==",
            "curl -H 'Authorization: Bearer {}' https://h",
            "{\"Authorization\": \"token {}\"}",
            "Proxy-Authorization: Basic {}",
            "\"headers\":\"{\\\"Authorization\\\":\\\"Bearer {}\\\"}\"",
            "Authorization: {}",
            "using bearer {}",
            "Authorization: Api-Token {}",
            "curl -H 'authorization: X-Of-Ours {}' https://h",
        ],
    );
    plant("cookie", "", ALNUM, 30, &["Cookie: session={}", "< Set-Cookie: sid={}; Path=/; HttpOnly"]);
    plant("crypt-hash", "$6$saltsalt$", "ABCDEFabcdef0123456789./", 86, &["root:{}:19000:0:99999:7:::", "hash {}"]);
    plant("crypt-hash", "$2b$12$", "ABCDEFabcdef0123456789./", 53, &["admin:{}", "\"{}\""]);
    plant("crypt-hash", "$y$j9T$", "ABCDEFabcdef0123456789./", 60, &["susan:{}:19000:0:99999:7:::"]);
    let awkward = "abcdefghijkABCDEFGHIJK0123456789!%^*+.~#/@,&;:$";
    plant(
        "url-password",
        "",
        "abcdefABCDEF0123456789!%^*+.~,;$",
        14,
        &[
            "postgres://app:{}@db.internal:5432/app",
            "redis://:{}@cache:6379/0",
            "DATABASE_URL=mysql2://app:{}@db/app?ssl=1",
            "fatal: unable to access 'https://bob:{}@git.example.com/x.git/'",
            "amqp://guest:{}@mq",
        ],
    );
    plant("url-password", "a", "abcdefABCDEF0123456789/@", 14, &["postgres://app:{}@db.internal:5432/app"]);
    plant(
        "password",
        "s",
        awkward,
        14,
        &[
            "DB_PASSWORD={}",
            "export DB_PASSWORD='{}'",
            "MYSQL_ROOT_PASSWORD=\"{}\"",
            "MYSQL_PWD={}",
            "DB_PASS={}",
            "db.password = {}",
            "password: {}",
            "  password: \"{}\"",
            "  \"password\": \"{}\",",
            "{\"user\":\"bob\",\"password\":\"{}\",\"port\":5432}",
            "msg=\"{\\\"password\\\":\\\"{}\\\",\\\"user\\\":\\\"bob\\\"}\"",
            "{'password': '{}'}",
            "'password' => '{}',",
            "passwd: {}",
            "secret={}",
            "client_secret: {}",
            "clientSecret: '{}'",
            "token={}",
            "api_key={}",
            "apiKey: \"{}\"",
            "X-Api-Key: {}",
            "X-Vault-Token: {}",
            "DB_PASSWORD_PROD={}",
            "ENV SECRET_KEY={}",
            "//registry.example.com/:_authToken={}",
            "spring.datasource.password={}",
            "hunter --password {}",
            "hunter --password={} --user bob",
            "hunter --api-key '{}' run",
            "[\"--password\", \"{}\"]",
            "mysql -u root -p{} -h db",
            "mysqldump --all -p'{}' db > x",
            "sshpass -p {} ssh bob@host",
            "curl -u bob:{} https://h/x",
            "curl -s --user 'bob:{}' https://h/x",
            "redis-cli -h cache -a {} ping",
            "ldapsearch -x -D cn=a -w {} -b dc=x",
            "bindpw {}",
            "requirepass {}",
            "machine h login bob password {}",
            "openssl rsa -in k -passin pass:{}",
            "CREATE USER bob IDENTIFIED BY '{}'",
            "Server=db;Database=x;User Id=sa;Password={};Encrypt=true",
            "host=db user=app password={} dbname=x",
            "GET /login?user=bob&password={}&next=1 HTTP/1.1",
            "- name: DB_PASSWORD\n  value: {}",
            "  {\n  \"Name\": \"API_TOKEN\",\n  \"Value\": \"{}\"\n  }",
            "[{\"name\":\"DB_PASSWORD\",\"value\":\"{}\"}]",
            "password: |\n  {}\nuser: bob",
            "psw: {}",
            "database_pw = \"{}\"",
            "client.pw = {}",
            "service-pw: {}",
            "pw={}",
            "APP_TOKEN ::= \"{}\"",
            "APP_TOKEN ?= {}",
            "$appToken .= \"{}\";",
            "var appToken string = \"{}\"",
            "const API_KEY: &str = \"{}\";",
            "define( 'DB_PASSWORD', '{}' );",
            "System.setProperty(\"APP_TOKEN\", \"{}\")",
            "smtp.login(user, \"{}\")",
            "statement: ALTER USER bob WITH PASSWORD '{}';",
            "alter user bob password 'x\\'{}'",
            "alter user bob password 'x''{}'",
            "create role bob createdb encrypted password '{}'",
            "SET PASSWORD FOR 'bob'@'%' = PASSWORD('{}')",
            "curl --user bob@example.com:{} https://h/x",
            "curl --user bob:'{}' -X PUT https://h/x",
            "curl -u \"bob\":\"{}\" https://h/x",
            "curl -X POST https://h/x \\\n  -H 'Accept: text/plain' \\\n  -u bob:{}",
            "curl https://h/x \\\n  --user 'bob:{}' -v",
            "<password>{}</password>",
            "<property name=\"db.password\">{}</property>",
            "<add key=\"DbPassword\" value=\"{}\"/>",
            "<apiToken>\n    {}\n</apiToken>",
        ],
    );
    plant(
        "password",
        "correct horse ",
        "abcdefgh",
        9,
        &["password = {}", "DB_PASSWORD: {}", "passphrase: \"{}\"", "export PASSWORD='{}'"],
    );
    out
}

#[test]
fn every_planted_secret_is_taken_out() {
    let mut missed = Vec::new();
    for (kind, shape, secrets) in plants() {
        for secret in secrets {
            let redacted = redactor().redact(&shape.replacen("{}", &secret, 1));
            // No six characters of it in a row may be left.
            let chars: Vec<char> = secret.chars().collect();
            let left = chars.windows(6).map(String::from_iter).find(|part| redacted.text.contains(part.as_str()));
            if left.is_some() || redacted.found.is_empty() {
                missed.push(format!("{kind}: `{shape}` with `{secret}` -> `{}`", redacted.text));
                break;
            }
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}

#[test]
fn each_shape_gets_its_own_kind() {
    let mut seeded = Seeded(3);
    let mut text = String::new();
    let mut line = |parts: &[&str]| text.push_str(&(parts.concat() + "\n"));
    line(&["id AK", "IA", &seeded.text(UPPER, 16)]);
    line(&["tmp AS", "IA", &seeded.text(UPPER, 16)]);
    line(&["MT", "A", &seeded.text(ALNUM, 23), ".", &seeded.text(ALNUM, 6), ".", &seeded.text(ALNUM, 30)]);
    line(&["e", "yJ", &seeded.text(ALNUM, 30), ".e", "yJ", &seeded.text(ALNUM, 30), ".", &seeded.text(URL64, 40)]);
    line(&["postgres://a:", &seeded.text(ALNUM, 10), "@db"]);
    line(&["-----BEGIN RSA PRIV", "ATE KEY-----\n", &seeded.text(BASE64, 64), "\n-----END RSA PRIV", "ATE KEY-----"]);
    insta::assert_snapshot!(redact(&text), @r#"
    id ‹secret:aws-key#7815›
    tmp ‹secret:aws-key#b855›
    ‹secret:discord-token#4159›
    ‹secret:jwt#9cdb›
    postgres://a:‹secret:url-password#e2dd›@db
    ‹secret:private-key#a09c›
    "#);
}

#[test]
fn ordinary_output_stays_as_it_is() {
    let corpus = r#"
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /usr/bin/bash
550e8400-e29b-41d4-a716-446655440000 i-0a1b2c3d4e5f60718 ami-0abcdef1234567890
arn:aws:iam::111111111111:role/muster-runner arn:aws:secretsmanager:eu-west-1:111111111111:secret:prod/db-AbCdEf
Filesystem      Size  Used Avail Use% Mounted on
/dev/nvme0n1p1   20G   19G  1.0G  95% /
Password:
password: 
[sudo] password for susan:
Enter passphrase (empty for no passphrase):
token_count=5 max_tokens: 4096 tokens=12 token: 5
PASS: test_login  pass=12 fail=0 skip=1
passwd:         files systemd
passwd: password updated successfully
passwd: all authentication tokens updated successfully.
password: must not be empty
shadow:         files
root:x:0:0:root:/root:/bin/bash
root:!:19000:0:99999:7:::
Last password change                                    : Jan 01, 2026
Password expires                                        : never
Maximum number of days between password change          : 99999
PasswordAuthentication no
passwordauthentication yes
PWD=/srv/app OLDPWD=/root
SSH_AUTH_SOCK=/run/user/1000/agent
password required pam_unix.so sha512 shadow
password_file=/run/secrets/db token_type=bearer secret_name: db
password: ${DB_PASSWORD}
DB_PASSWORD=$DB_PASSWORD TOKEN=$(cat /run/token) PASSWORD=%PASSWORD% password: {{ db_password }}
password: <redacted> secret: null token: "" passwd: x apiKey: ******
tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
token: /var/run/secrets/kubernetes.io/serviceaccount/token
mysql: [Warning] Using a password on the command line interface can be insecure.
usage: tool --password is required, --token from the console
GET http://localhost:8080/path?email=a@b.example HTTP/1.1
http://[::1]:8080/x@y git@github.com:acme/x.git ssh://git@host/x user@host:/path
WWW-Authenticate: Basic realm="x"
Authorization: required
nginx.service: Main process exited, code=exited, status=1/FAILURE
Nov 22 14:47:19 web-1 sshd[812]: Accepted publickey for susan from 10.0.0.4 port 51234 ssh2: ED25519 SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUQ0
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
call Token::new(5); keyboard=us monkey=1 hotkey: f5 bypass=1
cost: $5 or $12 and $HOME $1 $2
curl -sS https://example.com:8443/health
curl -u bob https://example.com:8443/health
docker run \
  --user 1000:1000 -v /srv:/srv \
  x
mysql -u root -h db -P3306
ciphers sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com
type=NSSDB,nickname='Server-Cert',token='NSS Certificate DB',pinfile='/etc/x/pwdfile.txt'
/etc/passwd:0
grep: /etc/passwd: d:
/etc/passwd:root:x:0:0:root:/root:/bin/bash
passwd:                                ASCII text
master.passwd:                         ASCII text
Change Token: 0x00000036
token: 10000
x_auth = x_acl_auth
example.pw:8080 http://example.pw:8080/x
const ETH_P_DSA_A5PSW: u32 = 57345;
"auth": "ldap", "auth": "client_secret_basic"
<token>null</token> <secret type='iscsi'>
<passwords>
  <item>x</item>
<token>
  <item>x</item>
fields: ["user", "password", "email"] in ('password', 'token')
add_argument("--password", "-p")
password: string;
CREATE ROLE bob; select 'x' as y
"#;
    let changed: Vec<String> = corpus
        .lines()
        .filter(|line| redact(line) != *line)
        .map(|line| format!("{line}\n  -> {}", redact(line)))
        .collect();
    assert!(changed.is_empty(), "\n{}", changed.join("\n"));
    assert_eq!(redactor().redact(corpus), Redacted { text: corpus.to_owned(), found: BTreeMap::new() });
}

fn key_block(word: &str) -> (String, String) {
    let body: String = (0..4).map(|n| Seeded(n).text(BASE64, 64) + "\n").collect();
    (format!("-----BEGIN {word}PRIV{}-----\n{body}-----END {word}PRIV{0}-----", "ATE KEY"), body)
}

#[test]
fn a_token_of_letters_alone_is_known_by_its_start_or_its_name() {
    let text = ["x h", "f_", &Seeded(5).text(&ALNUM[..52], 34), " y"].concat();
    let redacted = redact(&text);
    assert!(redacted.starts_with("x ‹secret:api-key#") && redacted.ends_with("› y"), "{redacted}");
    let cut = ["token=\"", &Seeded(6).text(&ALNUM[..52], 20), " was sent to"].concat();
    assert!(redact(&cut).starts_with("token=\"‹secret:password#"), "{}", redact(&cut));
    for name in ["hf_some_name_of_a_function_that_is_long", "(id)hf_theNameOfSomethingThatIsWrittenInOneWord;"] {
        assert_eq!(redact(name), name);
    }
}

#[test]
fn what_curl_sends_for_a_user_with_no_password_is_a_key() {
    for (before, after) in
        [("curl -u \"", ":\" https://h"), ("curl https://h -su ", ": -v"), ("curl https://h \\\n -u ", ":")]
    {
        let redacted = redact(&format!("{before}hunter22hunter{after}"));
        assert!(
            redacted.starts_with(&format!("{before}‹secret:password#")) && redacted.ends_with(&format!("›{after}")),
            "{redacted}"
        );
    }
    let asked = "curl -u \"elastic:\" https://h";
    assert_eq!(redact(asked), asked);
}

#[test]
fn a_key_block_goes_whole_also_where_it_is_cut() {
    for word in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let (block, _) = key_block(word);
        let text = format!("before\n  key: {block} after\nlast\n");
        let redacted = redactor().redact(&text);
        assert!(redacted.text.starts_with("before\n  key: ‹secret:private-key#"), "{}", redacted.text);
        assert!(redacted.text.ends_with("› after\nlast\n"), "{}", redacted.text);
        assert_eq!(redacted.found, BTreeMap::from([("private-key", 1)]));
    }
    let (block, body) = key_block("RSA ");
    let first_line = body.lines().next().unwrap();
    let cut = redact(&format!("before\n{}", &block[..block.len() - 60]));
    assert!(cut.starts_with("before\n‹secret:private-key#") && cut.ends_with('›'), "{cut}");
    let tail = format!("some words here\n{}\nafter", &block[block.find('\n').unwrap() + 1..]);
    let tail = redact(&tail);
    assert!(tail.starts_with("some words here\n‹secret:private-key#") && tail.ends_with("›\nafter"), "{tail}");
    let json = redact(&format!("{{\"key\":\"{}\",\"n\":1}}", block.replace('\n', "\\n")));
    assert!(json.ends_with("›\",\"n\":1}") && !json.contains(first_line), "{json}");
    // Two keys, the first without its end.
    let two = redact(&format!("{}\n{block}\nafter", &block[..80]));
    assert!(two.ends_with("›\nafter") && !two.contains(first_line), "{two}");
}

#[test]
fn equal_secrets_look_equal_and_other_keys_make_other_marks() {
    let text = "password=hunter22\nTOKEN: hunter22\npassword=hunter23";
    let marks: Vec<String> = redact(text).lines().map(|l| l[l.find('#').unwrap()..].to_owned()).collect();
    assert_eq!(marks[0], marks[1]);
    assert_ne!(marks[0], marks[2]);
    assert_ne!(Redactor::new(b"another").redact(text).text, redact(text));
}

#[test]
fn a_line_too_long_to_read_is_withheld_only_if_it_may_hold_a_secret() {
    let long = "x ".repeat(40_000);
    assert_eq!(redact(&long), long);
    let text = format!("a\n{long}password\nb\r\n");
    let redacted = redactor().redact(&text);
    assert_eq!(redacted.text, "a\n‹line withheld›\nb\r\n");
    assert_eq!(redacted.found, BTreeMap::from([("line", 1)]));
    assert_eq!(redact(&"token=x&".repeat(5_000)), WITHHELD, "a line made to take for ever");
    assert_eq!(
        redact(&format!("curl \\\n{long}")),
        format!("curl \\\n{WITHHELD}"),
        "any user and password may stand there"
    );
}

#[test]
fn what_surrounds_a_secret_stays() {
    let shown = redact(
        "host=db user=app password=hunter22 dbname=x\n{\"user\":\"bob\",\"password\":\"hunter22\",\"port\":5432}\n\
         GET /login?password=hunter22&next=1 HTTP/1.1\ncurl -u bob:hunter22 https://h/x\npostgres://app:hunter22@db/app\n\
         Authorization: Bearer abcdef0123456789abcdef\nexport A_TOKEN='hunter22' B=2\r\n",
    );
    insta::assert_snapshot!(shown, @r#"
    host=db user=app password=‹secret:password#ef2b› dbname=x
    {"user":"bob","password":"‹secret:password#ef2b›","port":5432}
    GET /login?password=‹secret:password#ef2b›&next=1 HTTP/1.1
    curl -u bob:‹secret:password#ef2b› https://h/x
    postgres://app:‹secret:url-password#ef2b›@db/app
    Authorization: Bearer ‹secret:authorization#1b3f›
    export A_TOKEN='‹secret:password#ef2b›' B=2
    "#);
}

#[test]
fn what_a_node_prints_as_a_mark_hides_nothing() {
    let text = "password=‹secret:password#0000›hunter22 token=‹secret:hunter22›";
    assert!(!redact(text).contains("hunter22"), "{}", redact(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn redacting_twice_changes_nothing_more(
        pieces in proptest::collection::vec(prop_oneof![
            "[a-z0-9 \"'=:,;&@/{}\\\\\n‹›#$-]{0,6}",
            prop_oneof![
                Just("password=".to_owned()), Just("token: ".into()), Just("\"secret\":\"".into()), Just("--password ".into()),
                Just("postgres://u:".into()), Just("@host".into()), Just("Authorization: Bearer ".into()), Just("curl -u a:".into()),
                Just("mysql -p".into()), Just("‹secret:password#3f9a›".into()), Just("‹secret:".into()), Just("\n".into()),
                Just("- name: A_TOKEN\n  value: ".into()), Just("password: |\n  ".into()), Just("hunter22".into()),
                Just(["AK", "IAABCDEFGHIJKLMNOP"].concat()), Just(["-----BEGIN PRIV", "ATE KEY-----"].concat()),
                Just(["-----END PRIV", "ATE KEY-----"].concat()), Just("cookie: a=".into()), Just("curl \\\n -u a:".into()), Just(" \\\n -u a:".into()),
                Just("<token>\n".into()), Just("<password>".into()), Just("</password>".into()), Just("alter user a password '".into()),
                Just("\"auth\": \"".into()), Just("login(a, '".into()), Just("set('token', '".into()), Just(" string = ".into()),
                Just("a_pw ?= ".into()), Just("/etc/passwd:".into()), Just("Authorization: X ".into()),
                Just("$6$abc$defghijklmnopqrs".into()),
            ],
        ], 0..12),
    ) {
        let text = pieces.concat();
        let once = redact(&text);
        let twice = redactor().redact(&once);
        prop_assert_eq!(&twice.text, &once, "from {:?}", text);
        // Nobody looks closely at what is not suspect.
        if !Redactor::suspects(&text) {
            prop_assert_eq!(&redactor().as_written(&text).text, &text);
            prop_assert!(redactor().as_written(&normalise(&text)).found.is_empty());
        }
    }

    #[test]
    fn any_text_is_read_without_panic_and_keeps_its_line_ends_outside_of_key_blocks(text in "(\\PC|\n|\r){0,200}") {
        let redacted = redact(&text);
        prop_assert_eq!(redacted.matches('\n').count(), text.matches('\n').count());
    }
}

#[test]
fn colours_and_invisible_characters_hide_no_secret() {
    let secret = ["hunter2"; 2].concat();
    let hidden = [
        "DB_\u{1b}[01;31m\u{1b}[KPASSWORD\u{1b}[m\u{1b}[K=",
        "\u{1b}[32mpassword\u{1b}[0m: \u{1b}[33m",
        "pass\u{200b}word=",
        "passx\u{8}word=",
        "xxx\rpassword=",
    ];
    for before in hidden {
        let redacted = redact(&format!("{before}{secret}\n"));
        assert!(!normalise(&redacted).contains("hunter2"), "{before:?}: {redacted:?}");
        assert_eq!(redact(&redacted), redacted);
    }
    // What hides nothing stays as it was.
    let plain = "\u{1b}[32mall good\u{1b}[0m\n";
    assert_eq!(redact(plain), plain);
}
