"""The Vercel AI SDK's gateway, read from @ai-sdk/gateway 2.0.168, 3.0.232 and 4.0.146 (AI SDK 5, 6 and 7)."""
