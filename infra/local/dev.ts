import type { Project } from '../../schema/project.ts'
import { asksAuditLog, auditUrlOf } from './audit-endpoint.ts'
import { phiCommand } from './phi-command.ts'
import { startProject } from './project-stack.ts'
import { screen } from './screen.ts'
import { removeStackFile } from './stack-file.ts'
import { stopOnSignals } from './stop-on-signals.ts'

export interface DevOptions {
  /** Absolute path. */
  readonly dataFolder: string
  readonly port: number
  readonly fresh: boolean
  /** The form of the lines for requests. */
  readonly form: 'text' | 'json'
  readonly log: (line: string) => void
}

/** Runs the local stack of a project until a signal ends it. @throws as `startProject` */
export async function runProject(project: Project, { form, ...options }: DevOptions): Promise<void> {
  const { log, dataFolder } = options
  const stops: (() => Promise<void>)[] = []
  stopOnSignals(stops)
  // the function reads it when its module loads, and prints its events in this form
  process.env['PHI_LOG'] = form
  const running = await startProject(project, options)
  const { stack, users } = running
  stops.push(() => running.stop())
  process.on('exit', () => removeStackFile(dataFolder))
  const [first] = users
  const auditUrl = auditUrlOf(stack.graphql)
  const url = first !== undefined && asksAuditLog(first) ? auditUrl : stack.graphql
  // the text is between single quotes of a shell
  const query = JSON.stringify({ query: first?.query ?? '{ __typename }' }).replaceAll("'", '\\u0027')
  const command = `curl -s ${url} -H "authorization: Bearer $(${phiCommand(process.env)} token ${first?.name ?? ''})" -H 'content-type: application/json' -d '${query}'`
  log(`\n${screen({ url: stack.graphql, auditUrl, users, dataFolder, command, columns: process.stdout.columns })}\n`)
  // this clock starts with the process
  log(`Ready in ${(performance.now() / 1000).toFixed(1)} s. Press Ctrl-C to stop.`)
}
