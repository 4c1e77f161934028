import type { Command } from 'commander'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
// the program loads these commands on demand, which takes longer than a test
import '../../cli/operations.ts'
import { phiProgram } from '../../cli/program.ts'
import { startCommand, startOptions } from '../../infra/local/start-options.ts'
import { type Ran, runCommand } from './run-command.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

/** Runs `phi`, without its preparation of a system, which only commands with right words reach. */
const phi = async (...words: string[]): Promise<Ran> => await runCommand(await phiProgram(['operations', ...words]), words)

/** Each command with the words that name it. */
function* commandsOf(command: Command, words: readonly string[] = []): Generator<readonly [string[], Command]> {
  if (words.length > 0) yield [[...words], command]
  for (const one of command.commands) yield* commandsOf(one, [...words, one.name()])
}

describe('phi', () => {
  it('--version prints the version of the package', async () => {
    expect(await phi('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('leaves --version to the commands on versions of an application', async () => {
    const words = ['--tenant', 'riverside', '--client', 'acme', '--app', 'claims', '--version', 'No version']
    const program = await phiProgram(['operations'])
    const activate = program.commands.find((one) => one.name() === 'operations')?.commands.find((one) => one.name() === 'activate')
    const given: unknown[] = []
    activate?.action((options: unknown) => void given.push(options))
    Reflect.set(activate ?? {}, '_lifeCycleHooks', {})
    expect((await runCommand(program, ['operations', 'activate', ...words])).stdout).toBe('')
    expect(given).toEqual([expect.objectContaining({ version: 'No version' })])
  })

  it('-h prints the help of each command, which describes each option', async () => {
    for (const [words, command] of commandsOf(await phiProgram(['operations']))) {
      expect(command.options.filter(({ description }) => description === '')).toEqual([])
      const help = command.helpInformation()
      expect(help).toContain(`Usage: phi ${words.join(' ')}`)
      expect(help).toContain('-h, --help')
    }
    expect(await phi('audit', 'list', '-h')).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    [['audit', 'lst'], "error: unknown command 'lst'\n(Did you mean list?)\nTo see the options, run: phi audit --help\n"],
    [['token'], "error: missing required argument 'user'\nTo see the options, run: phi token --help\n"],
    [
      ['policy', 'lock', '--chek'],
      "error: unknown option '--chek'\n(Did you mean --check?)\nTo see the options, run: phi policy lock --help\n",
    ],
    [
      ['token', 'physician', '--purpose', 'TREATT'],
      'error: the gateway has no such purpose of use (--purpose). Did you mean TREAT or ETREAT? The purposes of use are: TREAT, ETREAT, BTG, HPAYMT, HOPERAT, HRESCH, PATRQT, PUBHLTH.\n',
    ],
    [
      ['policy', 'explain', 'Patient.snn#1'],
      'error: the schema has no such rule (<rule>). Did you mean Patient.ssn#1, Patient.mrn#1 or Patient.ssn#2? List the rules with: phi policy table\n',
    ],
    [
      ['policy', 'explain', 'Patient.ssn'],
      'error: a rule has a number. The rules of Patient.ssn are: Patient.ssn#1, Patient.ssn#2, Patient.ssn#3, Patient.ssn#4.\n',
    ],
    [
      ['policy', 'explain', '--user', 'physician', '--query', '/none/file'],
      'error: Cannot read /none/file (--query): it does not exist. Check the path.\n',
    ],
    [['audit', 'verify', '/none'], 'error: Cannot read /none (<dir>): it does not exist. Check the path.\n'],
    [['operations', 'check', '--files', '/none'], 'error: Cannot read /none (--files): it does not exist. Check the path.\n'],
  ])('%j is refused with the cause and the next step', async (words, stderr) => {
    expect(await phi(...words)).toEqual({ code: words[1] === 'verify' ? 2 : 1, stdout: '', stderr })
  })
})

describe('the options of the command that starts the stack', () => {
  const start = async (...words: string[]): Promise<Ran> => await runCommand(startCommand(), words)

  it('have defaults', () => {
    expect(startOptions([], {})).toEqual({ fresh: false, patients: undefined, log: 'text', port: 4000 })
    expect(startOptions(['--fresh', '--patients', '3', '--log', 'json'], { PORT: '4100' })).toEqual({
      fresh: true,
      patients: 3,
      log: 'json',
      port: 4100,
    })
  })

  it.each([['--help'], ['-h']])('%s prints each option and variable', async (word) => {
    const { code, stdout } = await start(word)
    expect(code).toBe(0)
    for (const part of [
      'Usage: npm start -- [options]',
      '--fresh',
      '--patients',
      '--log',
      '--version',
      'PORT',
      'PHI_DATA',
      'PHI_SIEM',
    ])
      expect(stdout).toContain(part)
  })

  it('--version prints the version of the package', async () => {
    expect((await start('--version')).stdout).toBe(`${version}\n`)
  })

  it.each([
    [['--frsh'], "error: unknown option '--frsh'\n(Did you mean --fresh?)"],
    [['fresh'], 'error: too many arguments. Expected 0 arguments but got 1'],
    [['--patients', '-1'], "error: option '--patients <number>' argument '-1' is invalid. Use a whole number from 0 to 10000."],
    [['--log', 'xml'], "error: option '--log <form>' argument 'xml' is invalid. Allowed choices are text, json."],
  ])('%j is refused with the way to the help', async (words, message) => {
    const { code, stderr } = await start(...words)
    expect(code).toBe(1)
    expect(stderr.startsWith(message)).toBe(true)
    expect(stderr.endsWith('\nTo see the options, run: npm start -- --help\n')).toBe(true)
  })

  it.each([['80000'], ['x'], ['']])('a PORT that is none is refused: %j', (port) => {
    expect(() => startOptions([], { PORT: port })).toThrow('PORT must be a whole number from 1 to 65534: PORT=4000 npm start')
  })
})
