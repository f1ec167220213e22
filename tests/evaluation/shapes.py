"""What commands print that has a secret in it: fifty forms, written here after the manual pages of the commands.

A field in braces is drawn for each plant; those of [`SECRETS`] must be gone afterwards. `{word}` is a password that
people make up, with and without digits; `{hard}` one that a machine made.
"""

import base64
import string

import samples

SECRETS = {
    "hard": r"[A-Za-z0-9]{20}",
    "punctuated": r"[A-Za-z0-9]{6}[!%*+^~][A-Za-z0-9]{5}[#?!][A-Za-z0-9]{3}",
    "hex": r"[0-9a-f]{40}",
    "base64": r"[A-Za-z0-9+/]{39}[AEIMQUYcgkosw048]=",
    "key_id": r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "secret_key": r"[A-Za-z0-9/+]{40}",
    "jwt": r"eyJ[A-Za-z0-9]{30}\.eyJ[A-Za-z0-9_-]{60}\.[A-Za-z0-9_-]{43}",
    "sha512": r"\$6\$[A-Za-z0-9./]{16}\$[A-Za-z0-9./]{86}",
    "bcrypt": r"\$2b\$12\$[A-Za-z0-9./]{53}",
    "yescrypt": r"\$y\$j9T\$[A-Za-z0-9./]{22}\$[A-Za-z0-9./]{43}",
    "github": r"gh[pos]_[A-Za-z0-9]{36}",
    "gitlab": r"glpat-[A-Za-z0-9_-]{20}",
    "slack": r"xoxb-[0-9]{12}-[0-9]{12}-[A-Za-z0-9]{24}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{70}",
    "stripe": r"sk_live_[A-Za-z0-9]{24}",
    "azure": r"[A-Za-z0-9+/]{86}==",
}
PLACES = {
    "host": r"(?:db|app|cache)-[0-9]{2}\.[a-z]{5}\.example",
    "user": r"(?:app|deploy|report|shop)[0-9]?",
    "n": r"[1-9][0-9]{3}",
}
WORDS = "Summer Winter dragon Welcome monkey changeme letmein Sunshine football Passw0rd trustno rosebud".split()
SHAPES = {
    "env": "PATH=/usr/bin:/bin\nDB_HOST={host}\nDB_PASSWORD={word}\nLANG=C.UTF-8",
    "env of a token": "HOME=/root\nAPI_TOKEN={hard}\nSHLVL=1",
    "env, aws": "AWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID={key_id}\nAWS_SECRET_ACCESS_KEY={secret_key}",
    "export": 'declare -x PGPASSWORD="{punctuated}"\ndeclare -x TERM="xterm"',
    "proc environ in one line": "LANG=C MYSQL_PWD={word} HOME=/srv SHELL=/bin/sh",
    "systemctl show": "Environment=APP_ENV=prod APP_SECRET_KEY={hard} PORT=8080\nUser={user}",
    "ps, flag": "{user}  {n}  0.0  0.1 ?  Ss  10:02  0:00 /usr/bin/collector --api-key {hex} --interval 30",
    "ps, flag with =": "{user}  {n}  0.0  0.1 ?  Ss  10:02  0:00 /opt/agent/bin/agent --password={word} --daemon",
    "ps, mysqldump": "root  {n}  1.0  0.1 ?  R  10:02  0:01 mysqldump -u{user} -p{word} --single-transaction shop",
    "ps, mysql": "root  {n}  1.0  0.1 ?  S  10:02  0:01 mysql -h {host} -u {user} -p{punctuated} shop",
    "ps, sshpass": "root  {n}  0.0  0.0 ?  S  10:02  0:00 sshpass -p {word} ssh {user}@{host}",
    "ps, redis-cli": "root  {n}  0.0  0.0 ?  S  10:02  0:00 redis-cli -h {host} -a {hard} info",
    "ps, ldapsearch": "root  {n}  0.0  0.0 ?  S  10:02  0:00 ldapsearch -x -D cn={user} -w {word} -b dc=example",
    "ps, curl -u": "root  {n}  0.0  0.0 ?  S  10:02  0:00 curl -s -u {user}:{word} https://{host}/api",
    "ps, java": "tomcat  {n}  3.0 12.1 ?  Sl  10:02  1:12 java -Djavax.net.ssl.keyStorePassword={word} -jar app.jar",
    "curl -v, bearer": "> GET /v2/things HTTP/1.1\n> Host: {host}\n> Authorization: Bearer {jwt}\n> Accept: */*",
    "curl -v, basic": "> GET / HTTP/1.1\n> Host: {host}\n> Authorization: Basic {base64}\n> User-Agent: curl/7.88.1",
    "curl -v, header": "> POST /metrics HTTP/1.1\n> X-Api-Key: {hard}\n> Content-Length: {n}",
    "curl -v, cookie": "< HTTP/1.1 200 OK\n< Set-Cookie: session={hard}; Path=/; HttpOnly\n< Content-Length: {n}",
    "shadow": "root:{sha512}:19700:0:99999:7:::\ndaemon:*:19700:0:99999:7:::",
    "shadow, yescrypt": "{user}:{yescrypt}:19700:0:99999:7:::",
    "htpasswd": "{user}:{bcrypt}",
    "kubectl get secret -o yaml": "apiVersion: v1\ndata:\n  password: {base64}\nkind: Secret\ntype: Opaque",
    "kubectl describe pod": "    Environment:\n      DB_PASSWORD:  {word}\n      LOG_LEVEL:    info",
    "kubectl config view --raw": "users:\n- name: {user}\n  user:\n    token: {jwt}",
    "npmrc": "registry=https://{host}/\n//{host}/:_authToken={npm}",
    "pypirc": "[pypi]\nusername = __token__\npassword = {pypi}",
    "netrc": "machine {host} login {user} password {word}",
    "git remote -v": "origin\thttps://{user}:{github}@git.example/shop.git (fetch)",
    "git config": "url.https://oauth2:{gitlab}@git.example/.insteadof=https://git.example/",
    "instance metadata": """\
{{
  "Code" : "Success",
  "AccessKeyId" : "{key_id}",
  "SecretAccessKey" : "{secret_key}",
  "Token" : "{base64}"
}}""",
    "aws configure": "[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret_key}",
    "docker inspect": """\
            "Env": [
                "POSTGRES_PASSWORD={word}",
                "PGDATA=/data"
            ],""",
    "docker config.json": """\
{{
	"auths": {{
		"{host}": {{
			"auth": "{base64}"
		}}
	}}
}}""",
    "docker login": "root  {n}  0.0  0.0 ?  S  10:02  0:00 docker login -u {user} -p {hard} {host}",
    "connection string": "DATABASE_URL=postgres://{user}:{punctuated}@{host}:5432/shop?sslmode=require",
    "redis url in a log": "10:02:11 INFO connecting to redis://:{hard}@{host}:6379/0",
    "azure": "DefaultEndpointsProtocol=https;AccountName={user};AccountKey={azure};EndpointSuffix=core.windows.net",
    "sssd and ldap": "ldap_uri = ldaps://{host}\nldap_default_authtok = {word}\nldap_id_use_start_tls = True",
    "redis.conf": "port 6379\nrequirepass {hard}\nmaxmemory 2gb",
    "snmpd.conf": "rocommunity {hard} 10.0.0.0/8\nsyslocation here",
    "wp-config.php": "define( 'DB_USER', '{user}' );\ndefine( 'DB_PASSWORD', '{word}' );",
    "yaml": 'smtp:\n  host: {host}\n  password: "{punctuated}"\n  port: 587',
    "json": '{{"level":"debug","client_secret":"{hard}","attempt":{n}}}',
    "slack in a script": "curl -s -H 'Content-type: application/json' -d token={slack} https://chat.example/api/post",
    "stripe in a log": "10:02:11 WARN charge failed, key {stripe}, retry in {n} ms",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n{pem}\n-----END RSA PRIVATE KEY-----",
    "private key, cut off": "-----BEGIN OPENSSH PRIVATE KEY-----\n{pem}",
    "postgres log": "LOG:  statement: ALTER USER {user} WITH PASSWORD '{word}';",
    "mysql log": "Query\tCREATE USER '{user}'@'%' IDENTIFIED BY '{punctuated}'",
}


def plant(rng, shape):
    """One text of this shape, and the secrets in it, line by line."""
    hidden = []

    class Fields(dict):
        def __missing__(self, name):
            return drawn(rng, name, hidden)

    return SHAPES[shape].format_map(Fields()), hidden


def drawn(rng, name, hidden):
    if name in PLACES:
        return samples.sample(rng, PLACES[name])
    if name == "pem":
        lines = [base64.b64encode(rng.randbytes(48)).decode() for _ in range(6)]
        hidden += lines
        return "\n".join(lines)
    if name == "word":
        value = rng.choice(WORDS) + rng.choice(["", str(rng.randrange(10, 100)), rng.choice(string.digits) + "!"])
    else:
        value = samples.sample(rng, SECRETS[name])
    hidden.append(value)
    return value
