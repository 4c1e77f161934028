import { environmentOf, tableNames } from '../../infra/local/environment.ts'
import { writeStackFile } from '../../infra/local/stack-file.ts'

const free = 'http://127.0.0.1:9'

/** Writes the file of a stack that does not answer, or answers at the address of its keys alone. */
export function writeStaleStack(folder: string, jwksUri = free): void {
  const env = environmentOf({
    stage: 'local',
    tables: tableNames.parse(Object.fromEntries(Object.keys(tableNames.shape).map((name) => [name, 'table']))),
    kmsKeyId: 'key',
    tenantKmsKeys: {},
    signatureKey: 'key',
    logKeys: { ed25519: 'key', mlDsa44: 'key' },
    tenants: ['riverside'],
    auditObjects: folder,
    auditTables: folder,
    siem: '',
    siemPositions: folder,
    issuer: free,
    audience: 'phi',
    jwksUri,
    operations: {},
    auditFunction: 'audit',
    dynamodb: free,
    kms: free,
    lambda: free,
  })
  writeStackFile(folder, { graphql: free, issuer: free, jwksUri, tokenEndpoint: free, clientSecrets: {}, users: [], env })
}
