import { Command, InvalidArgumentError, Option } from 'commander'
import { packageVersion } from './package-version.ts'
import { START_COMMAND, startCommandWith } from './start-command.ts'

/** The options of the command that starts the local stack. */
export interface StartOptions {
  /** Delete the local data first. */
  readonly fresh: boolean
  /** The number of patients of riverside. Undefined: the default, or those that exist. */
  readonly patients: number | undefined
  readonly port: number
  /** The form of the lines that the stack prints. */
  readonly log: 'text' | 'json'
}

export const DEFAULT_PATIENTS = 60
const DEFAULT_PORT = 4000
/** The identity provider has the next port. */
const MAX_PORT = 65_534
const MAX_PATIENTS = 10_000

/**
 * Parses the words after `npm start --`. `--help` and `--version` print and end the process, and so does an option that does not exist.
 *
 * @throws RangeError if PORT is no port
 */
export function startOptions(words: readonly string[], env: Readonly<Record<string, string | undefined>>): StartOptions {
  const command = startCommand()
  command.parse([...words], { from: 'user' })
  const { fresh = false, patients, log } = command.opts<{ fresh?: true; patients?: number; log: 'text' | 'json' }>()
  return { fresh, patients, log, port: portOf(env['PORT']) }
}

/** The command line of the local stack. */
export const startCommand = (): Command =>
  new Command(startCommandWith({ options: '' }).trim())
    .description('start the whole gateway on this machine, with synthetic patients')
    .option('--fresh', 'delete all local data first')
    .option('--patients <number>', `the number of patients of riverside; by default ${DEFAULT_PATIENTS}`, patientsOption)
    .addOption(new Option('--log <form>', 'the form of the lines that the stack prints').choices(['text', 'json']).default('text'))
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print the options')
    .allowExcessArguments(false)
    .showHelpAfterError(`To see the options, run: ${startCommandWith({ options: '--help' })}`)
    .addHelpText(
      'after',
      `
Environment:
  PORT      the port of the HTTP API; by default ${DEFAULT_PORT}. The identity provider uses the next port
  PHI_DATA  the folder of the local data; by default .local
  PHI_SIEM  the receivers of the audit log: docs/siem-delivery.md
  AWS_ENDPOINT_URL_DYNAMODB  an engine that runs already, instead of the embedded one
  DEBUG     print the whole error if the start fails

Examples:
  ${START_COMMAND}
  ${startCommandWith({ options: '--fresh --patients 200' })}
  ${startCommandWith({ setting: 'PORT=4100 PHI_DATA=../phi-data' })}`,
    )

/** @throws InvalidArgumentError */
function patientsOption(text: string): number {
  const number = wholeNumber(text, 0, MAX_PATIENTS)
  if (number === undefined) throw new InvalidArgumentError(`Use a whole number from 0 to ${MAX_PATIENTS}.`)
  return number
}

function portOf(text = String(DEFAULT_PORT)): number {
  const port = wholeNumber(text, 1, MAX_PORT)
  if (port === undefined)
    throw new RangeError(
      `PORT must be a whole number from 1 to ${MAX_PORT}: ${startCommandWith({ setting: `PORT=${DEFAULT_PORT}` })}`,
    )
  return port
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  return number >= min && number <= max ? number : undefined
}
