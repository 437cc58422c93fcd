import type {
  AuthenticationMD5Password,
  BackendKeyDataMessage,
  BackendMessage,
  CommandCompleteMessage,
  DataRowMessage,
  MessageName,
  ReadyForQueryMessage,
  RowDescriptionMessage,
} from "pg-protocol/dist/messages.js";

interface Contents {
  authenticationMD5Password: AuthenticationMD5Password;
  authenticationSASLContinue: SaslMessage;
  authenticationSASLFinal: SaslMessage;
  backendKeyData: BackendKeyDataMessage;
  commandComplete: CommandCompleteMessage;
  dataRow: DataRowMessage;
  readyForQuery: ReadyForQueryMessage;
  rowDescription: RowDescriptionMessage;
}
interface SaslMessage extends BackendMessage {
  data: string;
}

/** What pg-protocol's parser gives: it types the common base only, and `name` tells the rest. */
export type PostgresMessage =
  | { [Name in keyof Contents]: Contents[Name] & { readonly name: Name } }[keyof Contents]
  | (BackendMessage & { readonly name: Exclude<MessageName, keyof Contents> });
