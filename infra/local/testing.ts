import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditEntry } from '../../gateway/audit/entry.ts'
import { openServices } from '../../gateway/compose.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { openProject } from '../../schema/project.ts'
import { startProject } from './project-stack.ts'

// The module `phi-gateway/testing` of the package: the gateway of a project in a test, with real keys, real tokens and a real audit log.

/** An entry of `errors`. */
export interface AnswerError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  /** `code`, and for a denied field `coordinate`, `reason` and the rule that came closest. */
  readonly extensions: Readonly<Record<string, unknown>>
}

export interface Answer {
  readonly status: number
  readonly data: unknown
  readonly errors: readonly AnswerError[]
  /** `extensions.phi` of the response: the request id, and how many fields were resolved and denied. */
  readonly phi: { readonly requestId: string } & Readonly<Record<string, unknown>>
  readonly tenant: string
}

export interface Question {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
  /** The purpose of use, a code of HL7 v3 ActReason. Left out: the first purpose of the user's role. */
  readonly purpose?: string
}

export interface LocalGateway {
  /** The endpoint, with free ports of 127.0.0.1. */
  readonly url: string
  /** Sends an operation as a user of the project. @throws Error for a user that the project does not have */
  ask(user: string, question: string | Question): Promise<Answer>
  /** The audit records of one request. */
  audit(answer: Answer): Promise<readonly AuditEntry[]>
  stop(): Promise<void>
}

/**
 * Starts the project of a folder with its users and records, in a data folder of its own, which `stop` deletes. A process can start one.
 *
 * @param folder the folder of `phi.json`, or one below it
 * @throws ProjectRefused, PolicyFaults, SchemaRefused
 */
export async function startLocalGateway(folder: string = process.cwd()): Promise<LocalGateway> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  const running = await startProject(openProject(folder), { dataFolder, port: 0, log: () => undefined })
  const { stack, users } = running
  const services = openServices(stack.env, { events: () => undefined })
  return {
    url: stack.graphql,
    async ask(name, question) {
      const user = users.find((one) => one.name === name)
      if (user === undefined) throw new Error(`The project has no user ${name}. It has ${users.map((one) => one.name).join(', ')}.`)
      const { query, variables, purpose } = typeof question === 'string' ? { query: question } : question
      const token = await stack.identity.tokenFor(name, purpose)
      const response = await fetch(stack.graphql, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, ...(variables && { variables }) }),
      })
      const {
        data = null,
        errors = [],
        extensions,
      } = (await response.json()) as {
        data?: unknown
        errors?: readonly AnswerError[]
        extensions?: { phi: Answer['phi'] }
      }
      return { status: response.status, data, errors, phi: extensions?.phi ?? { requestId: '' }, tenant: user.tenant }
    },
    audit: async ({ tenant, phi }) => await services.history.ofRequest(tenant as TenantId, phi.requestId),
    async stop() {
      services.close()
      await running.stop()
      rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}
