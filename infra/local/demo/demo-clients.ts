import { readFileSync } from 'node:fs'
import * as z from 'zod'
import type { AppVersion } from '../../../gateway/model/registered-operation.ts'
import { PORTAL_CLIENT } from '../token.ts'
import type { DemoUser } from '../users.ts'

/** An application with registered operations. Its files are in the subfolder `clients/` with its name. */
export interface DemoClient {
  readonly client: string
  readonly tenants: readonly DemoUser['tenant'][]
  /** Whether the folder has a contract. */
  readonly isPartner: boolean
  /** Left out: the operations belong to no version of an app. */
  readonly appVersion?: AppVersion
}

export const DEMO_CLIENTS: readonly DemoClient[] = [
  { client: 'acme', tenants: ['riverside'], isPartner: true },
  {
    client: PORTAL_CLIENT,
    tenants: ['riverside', 'lakeside'],
    isPartner: false,
    appVersion: { app: 'portal-web', version: '1.0.0' },
  },
]

const Manifest = z.object({ operations: z.array(z.object({ id: z.string(), name: z.string() })) })

/** Reads a file of a demo client. */
export const clientFile = (client: string, name: 'manifest.json' | 'contract.json'): string =>
  readFileSync(new URL(`clients/${client}/${name}`, import.meta.url), 'utf8')

/** The id of an operation of a demo client. @throws RangeError if its manifest has no such operation */
export function operationId(client: string, name: string): string {
  const { operations } = Manifest.parse(JSON.parse(clientFile(client, 'manifest.json')))
  const id = operations.find((operation) => operation.name === name)?.id
  if (id === undefined) throw new RangeError('The manifest of the demo client has no operation of this name.')
  return id
}
