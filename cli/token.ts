import { Command } from 'commander'
import { printLine } from './terminal.ts'

/** `phi token USER [--purpose TREAT]` prints an access token of the local identity provider for a demo user. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('print an access token for a demo user of the local stack')
    .argument('<user>', 'a demo user: physician, billing, acme, ...')
    .option('--purpose <purpose>', 'the purpose of use to claim, for instance TREAT')
    .action(async (user: string, { purpose }: { purpose?: string }, command: Command) => {
      const [{ readStackFile }, { fetchToken, NoToken }] = await Promise.all([
        import('../infra/local/stack-file.ts'),
        import('../infra/local/token.ts'),
      ])
      try {
        printLine(await fetchToken(readStackFile(), user, purpose))
      } catch (failure) {
        if (failure instanceof NoToken) command.error(`error: ${failure.message}`)
        throw failure
      }
    })
}
