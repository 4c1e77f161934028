import { environmentOf, tableNames } from '../../infra/local/environment.ts'
import { writeStackFile } from '../../infra/local/stack-file.ts'

/** Writes the file of a stack that does not answer. */
export function writeStaleStack(folder: string): void {
  const free = 'http://127.0.0.1:9'
  const env = environmentOf({
    stage: 'local',
    tables: tableNames.parse(Object.fromEntries(Object.keys(tableNames.shape).map((name) => [name, 'table']))),
    kmsKeyId: 'key',
    tenantKmsKeys: {},
    logKeys: { ed25519: 'key', mlDsa44: 'key' },
    tenants: ['riverside'],
    auditObjects: folder,
    auditTables: folder,
    siem: '',
    siemPositions: folder,
    issuer: free,
    audience: 'phi',
    jwksUri: free,
    operations: {},
    auditFunction: 'audit',
    dynamodb: free,
    kms: free,
    lambda: free,
  })
  writeStackFile(folder, { graphql: free, issuer: free, jwksUri: free, tokenEndpoint: free, clientSecrets: {}, users: [], env })
}
