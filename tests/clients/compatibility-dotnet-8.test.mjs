// The .NET client 8 from NuGet.

import { dotnetClient } from "./compatibility/dotnet.mjs";
import { matrix } from "./compatibility/matrix.mjs";

matrix(dotnetClient("8.0.34"));
