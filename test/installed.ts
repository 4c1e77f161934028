import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../infra/local/ports.ts'

// Run alone: `node test/installed.ts`. It packs the package, installs it in an empty folder, and goes the way of a new user: the starter, its
// tests on Node 24 and 22, its local stack, its types and its bundle. Then it follows docs/your-own-schema.md (`test/guide.ts`).

const root = fileURLToPath(new URL('..', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'phi-installed-'))
/** Milliseconds. On a machine with nothing else to do, the steps end much sooner. */
const STEP_MS = 400_000
/** Milliseconds. The guide has nine steps, and starts the stack several times. */
const GUIDE_MS = 1_200_000

interface In {
  readonly folder: string
  /** The folder of the `node` that commands run on. */
  readonly node?: string
  /** Milliseconds. */
  readonly limit?: number
}

/** The settings of npm and of certificates on this machine, and no setting of a deployment. */
const environment = (node?: string): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:PHI_|AWS_|npm_|NODE_OPTIONS$)/.test(name))),
  PATH: [...(node === undefined ? [] : [node]), dirname(process.execPath), process.env['PATH']].join(delimiter),
  SLS_TELEMETRY_DISABLED: '1',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
})

function run(command: string, args: readonly string[], { folder, node, limit = STEP_MS }: In): string {
  const started = performance.now()
  try {
    return execFileSync(command, args, { cwd: folder, env: environment(node), encoding: 'utf8', timeout: limit })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    console.error(stdout, stderr)
    throw error
  } finally {
    console.log(`${command} ${args.join(' ')}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
}

/** The names of the installed packages. */
const packagesIn = (folder: string): string[] =>
  readdirSync(join(folder, 'node_modules'))
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(folder, 'node_modules', name)).map((one) => `${name}/${one}`) : [name],
    )

/** The way from an empty folder to a tested starter. */
function starter(tarball: string, name: string, node?: string): string {
  const folder = mkdtempSync(join(work, `${name}-`))
  run('npm', ['install', tarball], { folder, ...(node !== undefined && { node }) })
  run('npx', ['phi', 'init'], { folder, ...(node !== undefined && { node }) })
  const tested = run('npm', ['test'], { folder, ...(node !== undefined && { node }) })
  assert.match(tested, /pass 3/)
  assert.match(tested, /fail 0/)
  return folder
}

interface Asked {
  readonly data: { readonly patients: { readonly edges: readonly { readonly node: Readonly<Record<string, unknown>> }[] } }
  readonly errors: readonly { readonly extensions: Readonly<Record<string, unknown>> }[]
  readonly extensions: { readonly phi: { readonly requestId: string } }
}

interface Accesses {
  readonly data?: {
    readonly fieldAccesses: { readonly edges: readonly { readonly node: { readonly path: string; readonly outcome: string } }[] }
  }
  readonly errors?: readonly { readonly message: string }[]
}

/** Runs `phi dev`, reads a granted, a masked and a denied field, and lists the audit with a command and as an auditor. */
async function develop(folder: string): Promise<void> {
  const port = await freePort()
  const started = performance.now()
  const dev = spawn('npx', ['phi', 'dev', '--port', String(port)], { cwd: folder, env: environment(), detached: true })
  const ended = new Promise<void>((resolve) => void dev.once('exit', () => resolve()))
  try {
    const url = `http://127.0.0.1:${port}/graphql`
    let printed = ''
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`phi dev printed: ${printed}`)), STEP_MS)
      dev.stderr.on('data', (data: Buffer) => void (printed += data.toString()))
      dev.stdout.on('data', (data: Buffer) => {
        printed += data.toString()
        if (!printed.includes(url)) return
        clearTimeout(timer)
        resolve()
      })
    })
    console.log(`phi dev serves after ${((performance.now() - started) / 1000).toFixed(1)} s`)
    const token = run('npx', ['phi', 'token', 'reception'], { folder }).trim()
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ patients { edges { node { familyName phone birthDate } } } }' }),
    })
    const { data, errors, extensions } = (await response.json()) as Asked
    const node = data.patients.edges[0]?.node ?? {}
    assert.match(String(node['familyName']), /^Example-/)
    assert.match(String(node['phone']), /^\*{3}-\*{4}-\d{4}$/)
    assert.equal(node['birthDate'], null)
    assert.deepEqual(
      errors.map((error) => [error.extensions['coordinate'], error.extensions['reason']]),
      [['Patient.birthDate', 'ROLE']],
    )
    const audit = run('npx', ['phi', 'audit', 'list', '--request', extensions.phi.requestId], { folder })
    for (const line of [/READ DISCLOSED +Patient\.familyName/, /READ MASKED +Patient\.phone/, /READ DENIED +Patient\.birthDate/])
      assert.match(audit, line)
    const auditor = run('npx', ['phi', 'token', 'auditor'], { folder }).trim()
    const accesses = async (filter: string): Promise<Accesses> => {
      const answer = await fetch(new URL('/audit/graphql', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${auditor}` },
        body: JSON.stringify({ query: `{ fieldAccesses(filter: { ${filter} }) { edges { node { path outcome } } } }` }),
      })
      return (await answer.json()) as Accesses
    }
    const { data: found } = await accesses('userId: "reception"')
    assert.deepEqual(
      new Set(found?.fieldAccesses.edges.map(({ node: { path, outcome } }) => `${path} ${outcome}`)),
      new Set(['Patient.familyName DISCLOSED', 'Patient.phone MASKED', 'Patient.birthDate DENIED']),
    )
    // this question needs a package that no installation has by itself
    const { errors: missing } = await accesses('from: "2026-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z"')
    assert.match(missing?.[0]?.message ?? '', /npm install @duckdb\/node-api/)
  } finally {
    if (dev.pid !== undefined) process.kill(-dev.pid, 'SIGINT')
    await ended
  }
}

try {
  const files = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', work], { folder: root }).replace(/^[^[]*/, '')) as {
    filename: string
    size: number
  }[]
  const tarball = join(work, files[0]?.filename ?? '')
  const folder = starter(tarball, 'node-24')
  assert.deepEqual(packagesIn(folder).toSorted(), ['@dynoxide/linux-x64', 'phi-gateway'])
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/phi-gateway/package.json'), 'utf8')) as {
    readonly scripts: object
  }
  assert.equal('dependencies' in manifest, false)
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(script in manifest.scripts, false)
  assert.match(run('node', ['-e', "console.log(typeof require('phi-gateway').createGateway)"], { folder }), /function/)
  await develop(folder)

  // the packages for development come from this repository, because the guide installs them too
  for (const name of ['esbuild', '@types']) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  const tsc = ['node', [join(root, 'node_modules/typescript/bin/tsc')]] as const
  run(...tsc, { folder })
  const mistake = join(folder, 'mistake.ts')
  writeFileSync(mistake, 'import { lambdaGateway } from "phi-gateway/lambda"\nexport const number: number = lambdaGateway\n')
  assert.throws(() => execFileSync(...tsc, { cwd: folder, env: environment(), stdio: 'ignore' }))
  rmSync(mistake)
  // the bundle that is deployed answers like the source
  run('node', ['build.ts'], { folder })
  const project = join(folder, 'phi.json')
  writeFileSync(project, readFileSync(project, 'utf8').replace('functions/graphql.ts', 'dist/graphql/index.mjs'))
  assert.match(run('npm', ['test'], { folder }), /pass 3/)

  const node22 = mkdtempSync(join(work, 'node-'))
  run('npm', ['install', 'node@22'], { folder: node22 })
  starter(tarball, 'node-22', join(node22, 'node_modules/node/bin'))
  console.log('the package installs, and the starter works')
  console.log(run('node', [join(root, 'test/guide.ts'), tarball], { folder: root, limit: GUIDE_MS }))
} finally {
  rmSync(work, { recursive: true, force: true })
}
