import relay, { type ConcreteRequest, type FetchFunction, type GraphQLResponse } from 'relay-runtime'

/** A request as Relay's compiler writes it with `persistConfig`: an id, and no text. */
export const viewerRequest = (name: string, id: string): ConcreteRequest => {
  const selections = [
    {
      alias: null,
      args: null,
      concreteType: 'Viewer',
      kind: 'LinkedField',
      name: 'viewer',
      plural: false,
      selections: [{ alias: null, args: null, kind: 'ScalarField', name: 'userId', storageKey: null }],
      storageKey: null,
    },
  ] as const
  return {
    kind: 'Request',
    fragment: { argumentDefinitions: [], kind: 'Fragment', metadata: null, name, selections, type: 'Query', abstractKey: null },
    operation: { argumentDefinitions: [], kind: 'Operation', name, selections },
    params: { id, metadata: {}, name, operationKind: 'query', text: null },
  }
}

/** A Relay environment that sends `doc_id` in place of the text. */
export const relayEnvironment = (url: string, token: string) => {
  const send: FetchFunction = async ({ id, text }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(id === null ? { query: text, variables } : { doc_id: id, variables }),
    })
    return (await response.json()) as GraphQLResponse
  }
  return new relay.Environment({ network: relay.Network.create(send), store: new relay.Store(new relay.RecordSource()) })
}
