import { resolve } from 'node:path'
import { IS_PACKAGE } from './start-command.ts'

/** The service of `compose.yaml`. */
export const COMPOSE_SERVICE = 'phi-gateway'

/**
 * The words that run the command line against the stack of this process, for sh, bash and zsh in the project folder. A stack in a container
 * has its file there, so that the command runs there too.
 */
export function phiCommand(env: NodeJS.ProcessEnv): string {
  if (env['PHI_LISTEN'] !== undefined) return `docker compose exec -T ${COMPOSE_SERVICE} node cli/phi.ts`
  const data = env['PHI_DATA']
  return `${data === undefined ? '' : `PHI_DATA=${quoted(resolve(data))} `}${IS_PACKAGE ? 'npx phi' : 'npm run --silent phi --'}`
}

/** One word for a shell. */
const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
