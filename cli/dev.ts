import { Command, InvalidArgumentError, Option } from 'commander'
import { printText } from './terminal.ts'

const DEFAULT_PORT = '4000'

/** `phi dev` runs the project of the folder on this machine: engine, KMS stand-in, identity provider, the project's function, and the API of auditors. */
export function devCommand(): Command {
  return new Command('dev')
    .description('run the project of this folder on this machine')
    .addOption(
      new Option('--port <port>', 'the port of the API; the identity provider has the next one')
        .env('PORT')
        .default(portOption(DEFAULT_PORT))
        .argParser(portOption),
    )
    .option('--fresh', 'delete the local data first')
    .addOption(new Option('--log <form>', 'the form of the lines for requests').choices(['text', 'json']).default('text'))
    .action(async ({ port, fresh, log: form }: { port: number; fresh?: true; log: 'text' | 'json' }) => {
      const [{ runProject }, { DATA_FOLDER }, { openProject }] = await Promise.all([
        import('../infra/local/dev.ts'),
        import('../infra/local/stack-file.ts'),
        import('../schema/project.ts'),
      ])
      const log = (text: string): void => printText(`${text}\n`)
      await runProject(openProject(), { dataFolder: DATA_FOLDER, port, fresh: fresh === true, form, log })
    })
}

/** @throws InvalidArgumentError */
function portOption(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_534) throw new InvalidArgumentError('Use a whole number from 1 to 65534.')
  return port
}
