"""check.py - checks docker/ without Docker: compose.yaml against the Compose Specification's own schema, and what that
cannot say: pinned images, a health check each, loopback ports, no secret in plain sight, files that exist.

Prints one line per violation; exit 1 when there is one."""
import json
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
SECRET = re.compile(r'(PASSWORD|PASSWD|SECRET|TOKEN)', re.I)


def schema_violations(compose):
    schema = json.loads((HERE / 'schema/compose-spec.json').read_text())
    for error in jsonschema.Draft7Validator(schema).iter_errors(compose):
        yield f'{"/".join(map(str, error.absolute_path))}: {error.message}'


def service_violations(name, service, compose):
    if 'build' not in service and not re.search(r':[^:/]*\d[^:/]*$', service.get('image', '')):
        yield f'{name}: the image has no version'
    if 'healthcheck' not in service:
        yield f'{name}: no health check'
    for port in service.get('ports', []):
        if not str(port).startswith('127.0.0.1:'):
            yield f'{name}: port {port} is published beyond loopback'
    environment = service.get('environment', {})
    if isinstance(environment, list):
        environment = dict(e.split('=', 1) for e in environment)
    for key, value in environment.items():
        if SECRET.search(key) and not key.endswith('_FILE'):
            yield f'{name}: {key} looks like a secret in the environment; use a secret file'
        if key.endswith('_FILE') and str(value).removeprefix('/run/secrets/') not in service.get('secrets', []):
            yield f'{name}: {key} names {value}, which is not among its secrets'
    for volume in service.get('volumes', []):
        source = volume.split(':')[0]
        if source.startswith('.'):
            if not (HERE / source).exists():
                yield f'{name}: {source} does not exist'
        elif source not in compose['volumes']:
            yield f'{name}: the volume {source} is not declared'
    for secret in service.get('secrets', []):
        if secret not in compose['secrets']:
            yield f'{name}: the secret {secret} is not declared'
    for other in service.get('depends_on', {}):
        if other not in compose['services']:
            yield f'{name}: depends on {other}, which is not there'


def secret_violations(compose):
    """Every secret file is one that secrets.sh makes, and neither is in the repository."""
    made = set(re.findall(r'\b((?:mysql|mongo|s3|admin)_[a-z_]+)\b', (HERE / 'secrets.sh').read_text()))
    for name, secret in compose['secrets'].items():
        if secret.get('file') != f'./secrets/{name}' or name not in made:
            yield f'secret {name}: secrets.sh does not make {secret.get("file")}'
    tracked = subprocess.run(['git', '-C', HERE, 'ls-files', 'secrets'], capture_output=True, text=True)
    if tracked.stdout.strip():
        yield f'these secrets are in the repository: {tracked.stdout.split()}'


def dockerfile_violations():
    ignored = [line.strip() for line in (HERE / 'Dockerfile.dockerignore').read_text().splitlines()]
    text = (HERE / 'Dockerfile').read_text()
    for source in re.findall(r'^COPY (?!--from)(\S+) ', text, re.M):
        top = source.strip('./').split('/')[0]
        if not (ROOT / source).exists():
            yield f'Dockerfile: copies {source}, which does not exist'
        if top and top in ignored:
            yield f'Dockerfile: copies {source}, which Dockerfile.dockerignore leaves out'
    if not re.search(r'^USER (?!0|root)', text, re.M):
        yield 'Dockerfile: runs as root'
    if not re.search(r'^HEALTHCHECK ', text, re.M):
        yield 'Dockerfile: no HEALTHCHECK'


def main():
    compose = yaml.safe_load((HERE / 'compose.yaml').read_text())
    found = list(schema_violations(compose))
    for name, service in compose['services'].items():
        found += service_violations(name, service, compose)
    found += secret_violations(compose)
    found += dockerfile_violations()
    for line in found:
        print(line)
    if found:
        return 1
    print(f'{len(compose["services"])} services: good')
    return 0


sys.exit(main())
