// SPDX-License-Identifier: Apache-2.0
// A handler of Netty that joins a future which only its own event loop can complete.
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.*;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

public class Gateway {
    static final class Accounts {
        private final EventLoop loop;

        Accounts(EventLoop loop) { this.loop = loop; }

        CompletableFuture<String> balance(String who) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            loop.schedule(() -> answer.complete(who + "=3"), 20, TimeUnit.MILLISECONDS);
            return answer;
        }
    }

    static final class Handler extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest req) {
            String text = req.uri().startsWith("/balance") ? readBalance(ctx) : "ok";
            FullHttpResponse res = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK,
                Unpooled.copiedBuffer(text, StandardCharsets.UTF_8));
            ctx.writeAndFlush(res).addListener(ChannelFutureListener.CLOSE);
        }

        private String readBalance(ChannelHandlerContext ctx) {
            Accounts accounts = new Accounts(ctx.channel().eventLoop());
            return accounts.balance("someone").join();
        }
    }

    public static void main(String[] args) throws Exception {
        EventLoopGroup group = new NioEventLoopGroup(1);
        new ServerBootstrap().group(group).channel(NioServerSocketChannel.class)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel ch) {
                    ch.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(1 << 16), new Handler());
                }
            }).bind("127.0.0.1", Integer.parseInt(args[0])).sync().channel().closeFuture().sync();
    }
}
