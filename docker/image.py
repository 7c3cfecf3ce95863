"""image.py - carries out docker/Dockerfile without Docker, then tries the image. Needs root (chroot) and Linux.

    image.py WORK      WORK is an empty folder; the final stage is left in WORK/1

Each stage is a copy of a Debian folder from the cache (integration/chroot.sh), in which the stage's instructions run. Only
the instructions that the Dockerfile has are known, others are an error. What Docker would have to download is the same here:
packages from Debian's mirror. The first stage starts from a folder that may already have the build packages."""
import fnmatch
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CHROOT = ['bash', str(ROOT / 'integration/chroot.sh')]


def run(*command, check=True, **more):
    return subprocess.run(command, check=check, **more)


def instructions(text):
    text = re.sub(r'\\\n', ' ', re.sub(r'^#.*\n', '', text, flags=re.M))
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        yield word, rest


def context_files():
    """The build context: what git knows or would add, less Dockerfile.dockerignore."""
    ignored = (HERE / 'Dockerfile.dockerignore').read_text().split()
    listed = run('git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', capture_output=True)
    for name in listed.stdout.decode().split('\0'):
        path = pathlib.PurePath(name)
        tops = [str(p) for p in path.parents] + [name]
        if name and (ROOT / name).exists() and not any(fnmatch.fnmatch(t, i.removeprefix('**/')) for i in ignored for t in tops):
            yield name


def folder(suite):
    out = run('bash', '-c', '. "$1/integration/lib.sh"; echo "$CACHE"', '-', ROOT, capture_output=True, text=True)
    run(*CHROOT, suite, 'true')
    return pathlib.Path(out.stdout.strip()) / f'root-{suite}'


class Stage:
    def __init__(self, root, base):
        self.root, self.cwd, self.user, self.env, self.entry, self.health = root, '/', None, {}, [], None
        run('cp', '-a', '--reflink=auto', base, root)
        for name in 'resolv.conf', 'hosts':
            run('cp', '-L', f'/etc/{name}', root / 'etc' / name)

    def call(self, command, user=None, check=True):
        prefix = ['setpriv', *(f'--{k}={v}' for k, v in zip(('reuid', 'regid'), user.split(':'))), '--clear-groups'] if user else []
        env = ['env', f'--chdir={self.cwd}', *(f'{k}={v}' for k, v in self.env.items())]
        return run(*CHROOT, f'{self.root}/', *prefix, *env, *command, check=check)

    def copy(self, words, stages):
        source_root, names = ROOT, None
        if words[0].startswith('--from='):
            source_root = stages[words.pop(0).removeprefix('--from=')].root
        else:
            names = list(context_files())
        source, target = words
        goal = self.root / (pathlib.PurePosixPath(self.cwd) / target).relative_to('/')
        if names is None:
            run('cp', '-a', f'{source_root}{source}.', goal)
            return
        source = source.strip('./')
        names = [n for n in names if not source or n == source or n.startswith(f'{source}/')]
        if not names:
            sys.exit(f'COPY {source}: nothing of that name is in the build context')
        for name in names:
            to = goal if name == source else goal / pathlib.PurePath(name).relative_to(source or '.')
            to.parent.mkdir(parents=True, exist_ok=True)
            run('cp', '-p', ROOT / name, to)


def build(work):
    stages, stage = {}, None
    for word, rest in instructions((HERE / 'Dockerfile').read_text()):
        print(f'{word} {rest}', flush=True)
        if word == 'FROM':
            image, *name = rest.split(' AS ')
            suite = re.fullmatch(r'debian:(\w+-slim)', image).group(1)
            stage = Stage(work / str(len(stages)), folder(suite.removesuffix('-slim') if name else suite))
            stages[name[0] if name else ''] = stage
        elif word == 'WORKDIR':
            stage.cwd = rest
            (stage.root / rest.lstrip('/')).mkdir(parents=True, exist_ok=True)
        elif word == 'COPY':
            stage.copy(rest.split(), stages)
        elif word == 'RUN':
            stage.call(['sh', '-c', rest])
        elif word == 'ENV':
            stage.env.update(part.split('=', 1) for part in shlex.split(rest))
        elif word == 'USER':
            stage.user = rest
        elif word in ('ENTRYPOINT', 'CMD'):
            stage.entry += [re.findall(r'"([^"]*)"', rest)]
        elif word == 'HEALTHCHECK':
            stage.health = re.findall(r'"([^"]*)"', rest)
        else:
            sys.exit(f'{word}: this instruction is not known here')
    return stage


def expect(result, code, what):
    if result.returncode != code:
        sys.exit(f'{what}: exit code {result.returncode} instead of {code}')


def main():
    image = build(pathlib.Path(sys.argv[1]).resolve())
    entry, command = image.entry
    image.call([*entry, '--version'], image.user)
    image.call([*entry, *command, '--help'], image.user)
    image.call(['sh', '-c', f'command -v {image.health[0]} && ! test -w "$(command -v {entry[0]})" && test -r /etc/pillion/contracts'],
               image.user)
    # compose.yaml's settings must be understood; the servers in them are not there, so each is told to be out of reach (3)
    run('cp', HERE / 'pillion.yaml', image.root / 'etc/pillion/')
    secrets = image.root / 'run/secrets'
    secrets.mkdir(parents=True)
    for name in re.findall(r'_file: /run/secrets/(\w+)', (HERE / 'pillion.yaml').read_text()):
        (secrets / name).write_text('0123456789abcdef\n')
    expect(image.call([*entry, 'check'], image.user, check=False), 3, 'pillion check without servers')
    expect(image.call(image.health, image.user, check=False), 3, 'the health check without a daemon')
    print('the image is good')


main()
