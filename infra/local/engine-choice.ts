import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { START_COMMAND } from './start-command.ts'

// The engines that can hold the tables, and the choice among those that this machine has. `findEngines` looks, `chooseEngines` decides.

export interface FoundEngines {
  /** As of Node: `linux-x64`. */
  readonly platform: string
  /** The path of the embedded engine for this platform. If it exists, nothing else is looked for. */
  readonly embedded?: string
  /** The major version of Java. */
  readonly java?: number
  /** Whether the command exists, and whether its engine answers. */
  readonly docker?: 'running' | 'stopped'
}

export type EngineChoice = { readonly engine: 'embedded'; readonly binary: string } | { readonly engine: 'java' | 'docker' }

/** DynamoDB Local needs this version or a later one. */
const MIN_JAVA = 17
/** The platforms with a native library in the package of DynamoDB Local. */
const JAVA_PLATFORMS: ReadonlySet<string> = new Set(['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-x64'])

/** The engines to try, the best one first. Empty if none can run here: `missingEngine` has the reason. */
export function chooseEngines({ platform, embedded, java = 0, docker }: FoundEngines): readonly EngineChoice[] {
  if (embedded !== undefined) return [{ engine: 'embedded', binary: embedded }]
  return [
    ...(java >= MIN_JAVA && JAVA_PLATFORMS.has(platform) ? [{ engine: 'java' as const }] : []),
    ...(docker === 'running' ? [{ engine: 'docker' as const }] : []),
  ]
}

/** One line that states what is missing on a machine without an engine. */
export function missingEngine({ platform, java, docker }: FoundEngines): string {
  const dockerStep = docker === 'stopped' ? 'Start Docker, which is installed but does not answer' : 'Install and start Docker'
  const javaStep = java === undefined ? `install Java ${MIN_JAVA} or later` : `replace Java ${java} by Java ${MIN_JAVA} or later`
  const steps = JAVA_PLATFORMS.has(platform) ? `${dockerStep}, or ${javaStep}` : dockerStep
  return `${platform} has no embedded DynamoDB engine. ${steps}. Then run ${START_COMMAND} again.`
}

/** Looks for the engines of this machine. Java and Docker are looked for only if the platform has no embedded engine. */
export async function findEngines(platform = `${process.platform}-${process.arch}`): Promise<FoundEngines> {
  const embedded = embeddedEngine(platform)
  if (embedded !== undefined) return { platform, embedded }
  const [java, docker] = await Promise.all([javaVersion(), dockerState()])
  return { platform, ...(java !== undefined && { java }), ...(docker !== undefined && { docker }) }
}

function embeddedEngine(platform: string): string | undefined {
  const name = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide'
  try {
    return createRequire(import.meta.url).resolve(`@dynoxide/${platform}/${name}`)
  } catch {
    return undefined
  }
}

const run = promisify(execFile)
const ANSWERS_WITHIN_MS = 10_000

/** The major version of a Java that runs. macOS has a `java` that only asks for an installation. */
async function javaVersion(): Promise<number | undefined> {
  try {
    return majorVersion((await run('java', ['-version'], { timeout: ANSWERS_WITHIN_MS })).stderr)
  } catch {
    return undefined
  }
}

/** Reads `openjdk version "17.0.15"`, and `java version "1.8.0_401"`, which is Java 8. */
export function majorVersion(text: string): number | undefined {
  const [, first, second] = /version "(\d{1,4})(?:\.(\d{1,4}))?/.exec(text) ?? []
  const major = first === '1' ? second : first
  return major === undefined ? undefined : Number(major)
}

async function dockerState(): Promise<FoundEngines['docker']> {
  try {
    const { stdout } = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: ANSWERS_WITHIN_MS })
    return stdout.trim() === '' ? 'stopped' : 'running'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'stopped'
  }
}
