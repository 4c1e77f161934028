import { Command } from 'commander'
import { printLine } from './terminal.ts'

/** `phi token USER [--purpose TREAT]` prints an access token of the local identity provider for a demo user. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('print an access token for a demo user of the local stack')
    .argument('<user>', 'a demo user: physician, billing, acme, ...')
    .option('--purpose <purpose>', 'the purpose of use to claim, for instance TREAT')
    .addHelpText('after', '\nExample:\n  phi token physician --purpose TREAT')
    .action(async (user: string, { purpose }: { purpose?: string }) => {
      const [{ stackOf }, { fetchToken }] = await Promise.all([import('./stack-user.ts'), import('../infra/local/token.ts')])
      printLine(await fetchToken(await stackOf({ user, purpose }, '<user>'), user, purpose))
    })
}
