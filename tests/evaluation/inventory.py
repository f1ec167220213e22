"""A generated inventory of 10,000 nodes, whose attributes go together as they do in a real fleet.

Accounts are of very different size and each has an environment, a team and one to three regions; zones and images
follow the region, kernels mostly the image, the tags mostly the team: so what is planted always has neighbours that
look much like it. `cost-centre` says exactly what `account` says, `ticket` is nearly a name.
"""

NODES = 10_000
ACCOUNTS = 120
TEAMS = [f"team-{name}" for name in "ant bee cat dog elk fox gnu hen ibis jay kite lynx mole newt owl pug".split()]
REGIONS = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2"]
TYPES = ["t3.micro", "t3.large", "m5.large", "m5.xlarge", "c5.xlarge", "r5.large", "m6g.large", "c6g.large"]
KERNELS = ["5.10.201", "5.10.213", "6.1.79", "6.1.82", "6.1.90"]
ROLES = "web api worker cache queue db search edge batch".split()
COLUMNS = [
    "account",
    "region",
    "az",
    "ami",
    "itype",
    "env",
    "team",
    "kernel",
    "tag:role",
    "tag:owner",
    "tag:cost-centre",
    "tag:patch-group",
    "tag:ticket",
]


def generate(rng):
    """Name to attributes. No value is that of two attributes."""
    accounts = [f"acme-{env}-{n:03}" for n in range(ACCOUNTS) for env in [rng.choice(["prod", "stage", "dev"])]]
    sizes = [1 / (n + 1) ** 0.7 for n in range(ACCOUNTS)]
    team_of = {account: rng.choice(TEAMS) for account in accounts}
    regions_of = {account: rng.sample(REGIONS, rng.choice([1, 1, 2, 3])) for account in accounts}
    images_of = {region: [f"ami-0{rng.getrandbits(40):010x}" for _ in range(5)] for region in REGIONS}
    kernel_of = {image: rng.choice(KERNELS) for images in images_of.values() for image in images}
    nodes = {}
    for n in range(NODES):
        account = rng.choices(accounts, sizes)[0]
        region = rng.choice(regions_of[account])
        image = rng.choices(images_of[region], [8, 4, 2, 1, 1])[0]
        team = team_of[account]
        nodes[f"srv-{n:05}"] = {
            "account": account,
            "region": region,
            "az": region + rng.choice("abc"),
            "ami": image,
            "itype": rng.choices(TYPES, [8, 6, 6, 4, 3, 2, 2, 1])[0],
            "env": account.split("-")[1],
            "team": team,
            "kernel": kernel_of[image] if rng.random() < 0.9 else rng.choice(KERNELS),
            "tag:role": rng.choice(ROLES),
            "tag:owner": f"{team}@acme.example" if rng.random() < 0.95 else "platform@acme.example",
            "tag:cost-centre": f"cc-{accounts.index(account):04}",
            "tag:patch-group": f"group-{rng.randrange(6)}",
            "tag:ticket": f"T-{rng.randrange(4000):05}",
        }
    return nodes


def write(file, nodes):
    with open(file, "w", encoding="utf-8") as table:
        table.write("\t".join(["node", *COLUMNS]) + "\n")
        for name, attributes in nodes.items():
            table.write("\t".join([name, *(attributes[column] for column in COLUMNS)]) + "\n")


def holders(nodes):
    """(attribute, value) to the set of its nodes."""
    found = {}
    for name, attributes in nodes.items():
        for item in attributes.items():
            found.setdefault(item, set()).add(name)
    return found
