import { Command } from 'commander'
import { printText } from './terminal.ts'

/** `phi tour [USER]` prints a command for each demo user that sends a first query to the running local stack. */
export function tourCommand(): Command {
  return new Command('tour')
    .description('print a curl command for each demo user of the local stack')
    .argument('[user]', 'only this demo user')
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const [{ readStackFile }, { tour }, { DEMO_USERS }] = await Promise.all([
        import('../infra/local/stack-file.ts'),
        import('../infra/local/tour.ts'),
        import('../infra/local/users.ts'),
      ])
      const stack = readStackFile()
      const users = DEMO_USERS.filter(
        (user) => stack.users.some((one) => one.name === user.name) && (name === undefined || user.name === name),
      )
      if (users.length === 0)
        command.error(`error: The local stack has no such demo user. Print a token of another user with: phi token USER`)
      printText(`${tour(users, stack.graphql, process.env)}\n`)
    })
}
